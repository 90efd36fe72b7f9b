"""Make the tokenizer of a run: train one on some corpora, or use a pretrained one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def build_parser():
    parser = parser_for(__doc__)
    parser.add_argument("--pretrained", help="name on the Hub or a folder; by default a tokenizer is trained")
    parser.add_argument("--revision", help="revision of the pretrained tokenizer")
    parser.add_argument(
        "--documents", nargs="*", default=[], help="documents.parquet of each corpus to train on"
    )
    parser.add_argument("--vocabulary", type=int, required=True, help="size of the vocabulary to train")
    parser.add_argument("--output", required=True, help="folder for the tokenizer")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.storage.folders import seal_folder
    from workflow_scripts.storage.tables import read_frame
    from workflow_scripts.tokens.tokenizer import load_tokenizer, train_tokenizer

    if arguments.pretrained:
        try:
            tokenizer = load_tokenizer(arguments.pretrained, arguments.revision)
        except UserError as problem:
            raise UserError(
                f"tokenizer.pretrained: {problem}; "
                "name a tokenizer on the Hub that this machine can reach, or a folder with one"
            ) from problem
    else:
        frames = [read_frame(path, ["text", "split"]) for path in arguments.documents]
        texts = [text for frame in frames for text in _own_texts(frame)]
        tokenizer = train_tokenizer(texts, arguments.vocabulary)
    tokenizer.save_pretrained(arguments.output)
    seal_folder(arguments.output)


def _own_texts(documents: "pd.DataFrame") -> "pd.Series[str]":
    """The train side, or the whole corpus if it has none, such as the target of a question."""
    train: pd.Series[str] = documents.loc[documents["split"] == "train", "text"]
    return train if len(train) else documents["text"]


if __name__ == "__main__":
    run(main)

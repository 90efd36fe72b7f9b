"""Make the tokenizer of a run: train one on some corpora, or use a pretrained one."""

import logging
from collections.abc import Iterator, Sequence

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.errors import UserError

logger = logging.getLogger(__name__)

MOST_BYTES = 1 << 28
"""Text that a tokenizer learns from; of more, a random part is taken, because it hardly changes the merges."""


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
        tokenizer = train_tokenizer(_texts(arguments.documents, MOST_BYTES), arguments.vocabulary)
    tokenizer.save_pretrained(arguments.output)
    seal_folder(arguments.output)


def _texts(paths: Sequence[str], most_bytes: int) -> Iterator[str]:
    """The texts to learn from: of each corpus its train side, or all of it if it has none, such as a target."""
    import pyarrow.compute as pc

    from workflow_scripts.storage.content_store import content_key
    from workflow_scripts.storage.documents import row_groups

    sizes = {path: {"train": 0, "eval": 0} for path in paths}
    for path in paths:
        for table in row_groups(path, ["split", "text"]):
            for side in sizes[path]:
                of_side = table.filter(pc.equal(table.column("split"), side)).column("text")
                sizes[path][side] += pc.sum(pc.binary_length(of_side)).as_py() or 0
    side_of = {path: "train" if size["train"] else "eval" for path, size in sizes.items()}
    total = sum(sizes[path][side] for path, side in side_of.items())
    share = min(1.0, most_bytes / total) if total else 1.0
    if share < 1:
        logger.info("the tokenizer learns from %.2g of %.0f MB", share, total / 1e6)
    for path, side in side_of.items():
        for table in row_groups(path, ["doc_id", "split", "text"]):
            own = table.filter(pc.equal(table.column("split"), side))
            for name, text in zip(
                own.column("doc_id").to_pylist(), own.column("text").to_pylist(), strict=True
            ):
                if share == 1 or int(content_key(learns_from=name)[:8], 16) < share * 2**32:
                    yield text


if __name__ == "__main__":
    run(main)

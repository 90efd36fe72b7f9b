"""Turn one side of a corpus into rows of token ids, packed or one row per document."""

import logging
from collections.abc import Sequence

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.errors import UserError

logger = logging.getLogger(__name__)


def build_parser():
    parser = parser_for(__doc__)
    parser.add_argument("--documents", required=True, help="documents.parquet of the corpus")
    parser.add_argument("--name", required=True, help="name of the corpus")
    parser.add_argument("--split", required=True, choices=["train", "eval"])
    parser.add_argument("--layout", required=True, choices=["packed", "documents"])
    parser.add_argument("--tokenizer", required=True, help="folder of the tokenizer")
    parser.add_argument("--length", type=int, required=True, help="tokens in a row")
    parser.add_argument(
        "--order", choices=["shuffled", "given"], default="shuffled", help="order of the documents"
    )
    parser.add_argument("--seed", type=int, required=True, help="seed of the shuffle")
    parser.add_argument("--output", required=True, help="the rows, as Parquet")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.storage.tables import read_frame
    from workflow_scripts.tokens.encode import encode_documents
    from workflow_scripts.tokens.layouts import one_row_each, pack
    from workflow_scripts.tokens.rows import write_rows
    from workflow_scripts.tokens.text_tokenizer import open_tokenizer

    documents = read_frame(arguments.documents)
    documents = documents[documents["split"] == arguments.split]
    if documents.empty:
        raise UserError(
            f"corpora.{arguments.name}: no document on the {arguments.split} side; "
            "change its held_out, which decides the sides"
        )
    if arguments.order == "shuffled":
        documents = documents.sample(frac=1, random_state=arguments.seed)
    tokenizer = open_tokenizer(arguments.tokenizer)
    encoded = encode_documents(tokenizer, documents)
    prefix = f"{arguments.name}.{arguments.split}"
    if arguments.layout == "packed":
        rows = pack(encoded, arguments.length, prefix)
    else:
        rows = one_row_each(encoded, arguments.length, tokenizer.pad_token_id, prefix)
    if not len(rows):
        raise UserError(
            f"corpora.{arguments.name}: the {arguments.split} side has fewer than {arguments.length} tokens, "
            "too few for one row; add documents or lower rows.length"
        )
    write_rows(rows, arguments.output)
    logger.info(
        "%s: %d documents, %d rows, %d tokens", prefix, len(documents), len(rows), rows.n_tokens.sum()
    )


if __name__ == "__main__":
    run(main)

"""Turn one side of a corpus into rows of token ids, packed or one row per document."""

import argparse
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from workflow_scripts.tokens.encode import DocumentTokens
    from workflow_scripts.tokens.text_tokenizer import TextTokenizer

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
    from workflow_scripts.tokens.layouts import one_row_each, pack
    from workflow_scripts.tokens.rows import write_row_portions
    from workflow_scripts.tokens.text_tokenizer import open_tokenizer

    tokenizer = open_tokenizer(arguments.tokenizer)
    count = sum(len(side) for side in _side(arguments, ["split"]))
    if not count:
        raise UserError(
            f"corpora.{arguments.name}: no document on the {arguments.split} side; "
            "change its held_out, which decides the sides"
        )
    encoded = _encoded(arguments, tokenizer)
    prefix = f"{arguments.name}.{arguments.split}"
    if arguments.layout == "packed":
        rows = pack(encoded, arguments.length, prefix)
    else:
        rows = one_row_each(encoded, arguments.length, tokenizer.pad_token_id, prefix)
    n_rows, n_tokens = write_row_portions(rows, arguments.output)
    if not n_rows:
        Path(arguments.output).unlink()
        raise UserError(
            f"corpora.{arguments.name}: the {arguments.split} side has fewer than {arguments.length} tokens, "
            "too few for one row; add documents or lower rows.length"
        )
    logger.info("%s: %d documents, %d rows, %d tokens", prefix, count, n_rows, n_tokens)


def _encoded(arguments: argparse.Namespace, tokenizer: "TextTokenizer") -> "Iterator[DocumentTokens]":
    """The documents of the side in the order that is asked for; shuffled ones are in a file until then."""
    import numpy as np

    from workflow_scripts.storage.unnamed import unnamed_file
    from workflow_scripts.tokens.documents_on_disk import DocumentsOnDisk
    from workflow_scripts.tokens.encode import tokens_of

    sides = _side(arguments, ["doc_id", "split", "text", "prompt", "completion"], "documents")
    in_order = (document for side in sides for document in tokens_of(tokenizer, side))
    if arguments.order == "given":
        yield from in_order
        return
    with unnamed_file(Path(arguments.output).parent) as file:
        documents = DocumentsOnDisk(file)
        documents.add(in_order)
        # The order of pandas' `sample`.
        yield from documents.read(np.random.RandomState(arguments.seed).permutation(len(documents)))


def _side(arguments: argparse.Namespace, columns: list[str], progress: str = "") -> "Iterator[pd.DataFrame]":
    """The side's documents, as many at a time as the table has together."""
    from workflow_scripts.storage.documents import row_groups

    for table in row_groups(arguments.documents, columns, progress):
        frame = table.to_pandas()
        yield frame[frame["split"] == arguments.split]


if __name__ == "__main__":
    run(main)

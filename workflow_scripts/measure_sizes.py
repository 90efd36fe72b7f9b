"""Measure how many tokens and bytes each set has.

Pass sets as --set NAME.SIDE=ROWS, and the folder with the manifests of their corpora. The output has an entry per set:
tokens, bytes, bytes_per_token, documents, and the documents and bytes of the sample, if only a sample was read.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import named_paths, parser_for, run


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--set", action="append", required=True, metavar="NAME.SIDE=ROWS", help="repeated")
    parser.add_argument("--corpora", required=True, type=Path, help="folder with a folder of each corpus")
    parser.add_argument("--output", required=True, type=Path, help="JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.choosing.sizes import size_of
    from workflow_scripts.storage.tables import write_json

    sizes = {}
    for name, rows in named_paths("set", arguments.set).items():
        corpus, _, side = name.partition(".")
        sizes[name] = size_of(side, arguments.corpora / corpus / "manifest.json", rows)
    write_json(sizes, arguments.output)


if __name__ == "__main__":
    run(main)

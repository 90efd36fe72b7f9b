"""Options that every command has."""

import argparse
from pathlib import Path


def add_common_options(parser: argparse.ArgumentParser, output: str) -> None:
    parser.add_argument(
        "--output", type=Path, default=Path(output), help=f"folder of the answer (default: {output})"
    )
    parser.add_argument("--text", metavar="COLUMN", help="column of the text, where it is not called text")
    parser.add_argument("--cores", type=int, help="default: all")
    parser.add_argument("--seed", type=int, default=0, help="of every draw (default: 0)")
    parser.add_argument(
        "--tokenizer", metavar="NAME", help="tokenizer of the Hub or of a folder; otherwise one is trained"
    )

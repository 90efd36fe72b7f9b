"""Options that every command has."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.errors import UserError

UNITS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}


def add_common_options(
    parser: argparse.ArgumentParser, output: str, what: str = "folder of the answer"
) -> None:
    parser.add_argument("--output", type=Path, default=Path(output), help=f"{what} (default: {output})")
    parser.add_argument("--text", metavar="COLUMN", help="column of the text, where it is not called text")
    parser.add_argument("--cores", type=int, help="default: all")
    parser.add_argument("--seed", type=int, default=0, help="of every draw (default: 0)")
    parser.add_argument(
        "--tokenizer", metavar="NAME", help="tokenizer of the Hub or of a folder; otherwise one is trained"
    )


def number(text: str) -> int:
    """A number of tokens as people write it: 5000000, 5e6, 5M, 1.5G."""
    match = re.fullmatch(r"([0-9.]+(?:e[0-9]+)?) *([kMGBT]?)", text.replace(",", "").replace("_", ""))
    try:
        count = round(float(match[1]) * UNITS[match[2]]) if match else 0
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of tokens; write 5000000, 5e6 or 5M")
    return count


def named_numbers(option: str, values: Sequence[str]) -> dict[str, float]:
    """NAME=NUMBER, repeated."""
    found = {}
    for value in values:
        name, _, amount = value.rpartition("=")
        try:
            found[name] = float(amount)
        except ValueError:
            name = ""
        if not name:
            raise UserError(f"{option} {value}: write it as NAME=NUMBER")
    return found

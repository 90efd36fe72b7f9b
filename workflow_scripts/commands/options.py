"""Options common to all commands."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

UNITS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}


@dataclass(frozen=True)
class Shared:
    """Values of the common options."""

    output: Path
    text: str | None
    cores: int | None
    seed: int
    tokenizer: str | None
    for_snakemake: Sequence[str] = ()

    @classmethod
    def given(cls, arguments: argparse.Namespace, for_snakemake: Sequence[str]) -> "Shared":
        return cls(
            arguments.output,
            arguments.text,
            arguments.cores,
            arguments.seed,
            arguments.tokenizer,
            for_snakemake,
        )


def add_common_options(
    parser: argparse.ArgumentParser, output: str, what: str = "folder of the answer"
) -> None:
    parser.add_argument("--output", type=Path, default=Path(output), help=f"{what} (default: {output})")
    parser.add_argument("--text", metavar="COLUMN", help="column of the text, if its name is not text")
    parser.add_argument("--cores", type=int, help="default: all")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random draws (default: 0)")
    parser.add_argument(
        "--tokenizer", metavar="NAME", help="tokenizer from the Hub or a folder; by default one is trained"
    )


def number(text: str) -> int:
    """A number of tokens in a usual form: 5000000, 5e6, 5M, 1.5G."""
    match = re.fullmatch(r"([0-9.]+(?:e[0-9]+)?) *([kMGBT]?)", text.replace(",", "").replace("_", ""))
    try:
        count = round(float(match[1]) * UNITS[match[2]]) if match else 0
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of tokens; write 5000000, 5e6 or 5M")
    return count

"""Keep the small tables of a finished run, joined to what an earlier part of it (other seeds) left there."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--run", required=True, type=Path, help="folder of the run, such as results/real")
    parser.add_argument("--recorded", required=True, type=Path, help="output: folder of the kept tables")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.records.keep import record

    record(arguments.run, arguments.recorded)


if __name__ == "__main__":
    run(main)

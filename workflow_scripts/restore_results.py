"""Lay a recorded run out as the workflow would have left it, with a config to make its analysis and page from it."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--recorded", required=True, type=Path, help="folder of the kept tables")
    parser.add_argument("--run", required=True, type=Path, help="output: folder of the run")
    parser.add_argument("--config", required=True, type=Path, help="output: config for --configfile (JSON)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.records.keep import restore
    from workflow_scripts.storage.tables import write_plain_json

    write_plain_json(restore(arguments.recorded, arguments.run), arguments.config)


if __name__ == "__main__":
    run(main)

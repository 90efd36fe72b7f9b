"""Write the page of a selection: one HTML file without scripts."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--summary", required=True, type=Path, help="JSON of select_rows")
    parser.add_argument("--target", required=True, help="corpus that the rows are for")
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="name of a corpus in the answer; repeated",
    )
    parser.add_argument("--output", required=True, type=Path, help="the HTML file")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.report.answers import selection_page
    from workflow_scripts.storage.tables import read_json, replaced_whole

    labels = dict(label.split("=", 1) for label in arguments.label)
    text = selection_page(read_json(arguments.summary), arguments.target, labels)
    with replaced_whole(arguments.output) as path:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)

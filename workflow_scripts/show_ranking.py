"""Write the page of a ranking: one HTML file without scripts."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--ranking", required=True, type=Path, help="table of rank_candidates")
    parser.add_argument("--answer", required=True, type=Path, help="JSON of rank_candidates")
    parser.add_argument("--output", required=True, type=Path, help="the HTML file")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.report.answers import ranking_page
    from workflow_scripts.storage.tables import read_frame, read_json, replaced_whole

    text = ranking_page(read_frame(arguments.ranking), read_json(arguments.answer))
    with replaced_whole(arguments.output) as path:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)

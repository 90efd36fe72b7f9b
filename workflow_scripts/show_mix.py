"""Write the page of proposed shares: one HTML file without scripts."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--mix", required=True, type=Path, help="table of shares of mix_candidates")
    parser.add_argument("--gains", required=True, type=Path, help="table of gains of mix_candidates")
    parser.add_argument("--output", required=True, type=Path, help="the HTML file")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.report.answers import mix_page
    from workflow_scripts.storage.tables import read_frame, replaced_whole

    text = mix_page(read_frame(arguments.mix), read_frame(arguments.gains))
    with replaced_whole(arguments.output) as path:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)

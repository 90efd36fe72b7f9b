"""Write the tables of a document anew from recorded runs, and copy the figures that it shows beside it."""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--runs", required=True, type=Path, help="folder with a folder of each run")
    parser.add_argument("--document", required=True, type=Path, help="Markdown; its tables are replaced")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.records.document import figures_named, written
    from workflow_scripts.storage.tables import replaced_whole

    text = written(arguments.document.read_text(encoding="utf-8"), arguments.runs)
    for name, figure in figures_named(text):
        source = arguments.runs / name / "report" / "figures" / figure
        if not source.is_file():
            raise UserError(f"{arguments.document} shows {figure} of the run {name}, which it has not drawn")
        target = arguments.document.parent / "results" / name / figure
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    with replaced_whole(arguments.document) as path:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)

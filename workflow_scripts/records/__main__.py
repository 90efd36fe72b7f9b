"""Recorded runs: keep the small tables of a run, restore it for the workflow, write the tables of documents.

keep     records the tables, merged with those of an earlier part of the run (other seeds).
restore  restores a recorded run's files, and writes a config to make its analysis and page.
write    regenerates the tables of documents, and copies the figures that they show.
fill     writes a page from its template, with every number looked up in the tables of the runs.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    commands = parser.add_subparsers(required=True, metavar="keep | restore | write | fill")
    keep = commands.add_parser("keep", allow_abbrev=False)
    keep.add_argument("--run", required=True, type=Path, help="folder of the run, such as results/real")
    keep.add_argument("--recorded", required=True, type=Path, help="output: folder of the kept tables")
    keep.set_defaults(command=keep_tables)
    restore = commands.add_parser("restore", allow_abbrev=False)
    restore.add_argument("--recorded", required=True, type=Path, help="folder of the kept tables")
    restore.add_argument("--run", required=True, type=Path, help="output: folder of the run")
    restore.add_argument("--config", required=True, type=Path, help="output: config for --configfile (JSON)")
    restore.set_defaults(command=restore_run)
    write = commands.add_parser("write", allow_abbrev=False)
    write.add_argument("--runs", required=True, type=Path, help="folder with a folder of each run")
    write.add_argument(
        "--documents", required=True, type=Path, nargs="+", help="Markdown; their tables are replaced"
    )
    write.set_defaults(command=write_documents)
    fill = commands.add_parser("fill", allow_abbrev=False)
    fill.add_argument("--runs", required=True, type=Path, help="folder with a folder of each run")
    fill.add_argument("--template", required=True, type=Path, help="Jinja template of the page (Markdown)")
    fill.add_argument("--page", required=True, type=Path, help="output: the page")
    fill.set_defaults(command=fill_page)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    arguments.command(arguments)


def keep_tables(arguments: argparse.Namespace) -> None:
    from workflow_scripts.records.keep import record

    record(arguments.run, arguments.recorded)


def restore_run(arguments: argparse.Namespace) -> None:
    from workflow_scripts.records.keep import restore
    from workflow_scripts.storage.tables import write_plain_json

    write_plain_json(restore(arguments.recorded, arguments.run), arguments.config)


def write_documents(arguments: argparse.Namespace) -> None:
    from workflow_scripts.records.document import figures_named, written
    from workflow_scripts.storage.tables import replaced_whole

    for document in arguments.documents:
        text = written(document.read_text(encoding="utf-8"), arguments.runs)
        for shown_at, name, figure in figures_named(text):
            source = arguments.runs / name / "report" / "figures" / figure
            if not source.is_file():
                raise UserError(f"{document} shows {figure}, which the run {name} has not drawn")
            target = document.parent / shown_at
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        with replaced_whole(document) as path:
            path.write_text(text, encoding="utf-8")


def fill_page(arguments: argparse.Namespace) -> None:
    from workflow_scripts.records.findings import filled
    from workflow_scripts.storage.tables import replaced_whole

    text = filled(arguments.template.read_text(encoding="utf-8"), arguments.runs)
    with replaced_whole(arguments.page) as path:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)

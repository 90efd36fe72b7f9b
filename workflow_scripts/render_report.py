"""Render the report: one self-contained page, and every figure as SVG, PNG and CSV.

Pass tables as --table NAME=FILE: points, correlation, metric_differences, leave_one_out, choice,
choice_cost, exchange_rate, published, published_points, switches, alignment, loss_summary and ngram_summary; of
recorded experiments effective_tokens, effective_token_differences, effective_token_points, predicted_losses and
token_worth. Others are ignored.
Figures without their tables are left out, and the page lists them.
"""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.errors import UserError

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--table", action="append", default=[], metavar="NAME=FILE", help="Parquet; repeated")
    parser.add_argument("--missing", type=Path, help="JSON of collect_losses: models without a usable loss")
    parser.add_argument(
        "--provenance",
        type=Path,
        help="JSON: commit, python, packages, config, corpora, probes; all optional",
    )
    parser.add_argument("--page", required=True, type=Path, help="output: the HTML file")
    parser.add_argument(
        "--figures", required=True, type=Path, help="output: folder of SVG, PNG and CSV files"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.report.draw import draw_figures
    from workflow_scripts.report.files import write_files
    from workflow_scripts.report.page import page
    from workflow_scripts.report.tables import read_tables
    from workflow_scripts.storage.tables import replaced_whole

    tables = read_tables(_named_files(arguments.table))
    sections, left_out = draw_figures(tables)
    text = page(
        arguments.run, tables, sections, left_out, _json(arguments.missing), _json(arguments.provenance)
    )
    figures = [figure for section in sections for figure in section.figures]
    for figure in figures:
        write_files(figure, arguments.figures)
    with replaced_whole(arguments.page) as path:
        path.write_text(text, encoding="utf-8")
    logger.info("%d figures, %.1f MB", len(figures), len(text.encode()) / 1e6)


def _named_files(values: Sequence[str]) -> dict[str, Path]:
    files = {}
    for value in values:
        name, separator, path = value.partition("=")
        if not separator:
            raise UserError(f"--table {value}: must be NAME=FILE")
        if not Path(path).is_file():
            raise UserError(f"--table {value}: {path} is missing")
        files[name] = Path(path)
    return files


def _json(path: Path | None) -> Mapping[str, Any]:
    from workflow_scripts.storage.tables import read_json

    return read_json(path) if path else {}


if __name__ == "__main__":
    run(main)

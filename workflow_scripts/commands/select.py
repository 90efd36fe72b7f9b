"""Which rows of some files to train on, for a target file.

  plumbline select target.jsonl pool/*.jsonl.gz --tokens 5M --output chosen.parquet

The pool is read once and may be larger than memory. The rows are written with their columns, their source, a score and
a rank; `datasets.load_dataset` reads them. Rows that repeat the target and near-copies of better rows are never chosen.
docs/OWN_DATA.md explains every output.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from workflow_scripts.commands.config import selection_config
from workflow_scripts.commands.options import Shared, add_common_options, number
from workflow_scripts.commands.run import answers_of, prepared_folder, run_workflow, take
from workflow_scripts.commands.text_files import look_at, usable

FORMATS = ("parquet", "jsonl")
ROWS = "chosen.parquet"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="file of text that the model is for")
    parser.add_argument("pool", nargs="+", help="files to choose rows from")
    parser.add_argument("--tokens", required=True, type=number, help="number of tokens to choose, such as 5M")
    parser.add_argument(
        "--score",
        choices=("ngrams", "fisher"),
        default="ngrams",
        help="fisher: n-grams choose four times the tokens, and the Fisher information of a small model, which is "
        "trained first, orders them; about 20 rows a second (default: ngrams)",
    )
    add_common_options(
        parser,
        "plumbline_select",
        f"folder of the answer, or the file of its rows, .parquet or .jsonl; {ROWS} in a folder",
    )


def main(given: argparse.Namespace, for_snakemake: list[str]) -> None:
    from workflow_scripts.report.answers import selection_sentence
    from workflow_scripts.storage.tables import read_json

    shared = Shared.given(given, for_snakemake)
    rows, folder = select_rows(given.target, given.pool, shared, tokens=given.tokens, score=given.score)
    summary = read_json(answers_of(folder, "select") / f"summary{rows.suffix}.json")
    print(selection_sentence(summary, Path(given.target).name))
    for note in summary["notes"]:
        print(note)
    print(f"\nRows: {rows}; page with their sources: {folder / 'index.html'}")


def select_rows(
    target: str, pool: Sequence[str], shared: Shared, *, tokens: int, score: str = "ngrams"
) -> tuple[Path, Path]:
    """Write the chosen rows; return their file and the folder of all other files."""
    rows, folder = places(shared.output)
    looked_at, *files = look_at([target, *pool], shared.text)
    pool_files = usable([looked_at], files, fewest_words=0)
    prepared_folder(folder)
    form = rows.suffix.removeprefix(".")
    config = selection_config(looked_at, pool_files, tokens, form, shared, score)
    run_workflow("select", config, replace(shared, output=folder))
    take(folder, "select", {f"chosen.{form}": rows, "index.html": folder / "index.html"})
    card = (answers_of(folder, "select") / f"README.{form}.md").read_text(encoding="utf-8")
    beside = os.path.relpath(rows, folder)
    (folder / "README.md").write_text(card.replace(f"chosen.{form}", beside), encoding="utf-8")
    return rows, folder


def places(output: Path) -> tuple[Path, Path]:
    """The file of the rows, and the folder of all other files, which has the same name without the ending."""
    if output.suffix.removeprefix(".") in FORMATS:
        return output, output.with_suffix("")
    return output / ROWS, output

"""Fills a Jinja template of Markdown with numbers from the tables of recorded runs.

    r = {{ number("real", "analysis/correlation", "value", experiment="formal", metric="task2vec", tokens=largest) }}

A lookup names a run, a table, a column, and values of other columns that leave one row. `largest` is the largest value
among the rows that match the other columns. `interval` adds the ends to the number.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from workflow_scripts.errors import UserError
from workflow_scripts.records.markdown import of_number
from workflow_scripts.storage.tables import read_frame

LARGEST = "largest"


def filled(template: str, runs: Path) -> str:
    """The page; `runs` contains a folder per run. A lookup that does not find exactly one number is an error."""
    lookups = _Lookups(runs)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.globals |= {
        "value": lookups.value,
        "number": lookups.number,
        "interval": lookups.interval,
        "r_on": lookups.r_on,
        "largest": LARGEST,
    }
    environment.filters["prose"] = in_prose
    try:
        return environment.from_string(template).render()
    except jinja2.TemplateError as problem:
        line = getattr(problem, "lineno", None)
        raise UserError(f"template{f', line {line}' if line else ''}: {problem.message}") from None


class _Lookups:
    def __init__(self, runs: Path):
        self.runs = runs
        self._table = cache(self._read)

    def value(self, run: str, table: str, column: str, **where: Any) -> Any:
        """A number to compute with: `{{ (value(...) ** 2) | prose }}`."""
        return self._row(run, table, column, where)[column]

    def number(self, run: str, table: str, column: str, digits: int = 2, **where: Any) -> str:
        return in_prose(self.value(run, table, column, **where), digits)

    def interval(
        self, run: str, table: str, column: str, ends: tuple[str, str], digits: int = 2, **where: Any
    ) -> str:
        """`−.81 (−.90 to −.65)`."""
        row = self._row(run, table, column, where)
        low, high = (in_prose(row[end], digits) for end in ends)
        return f"{in_prose(row[column], digits)} ({low} to {high})"

    def r_on(self, run: str, **where: Any) -> float:
        """Pearson's r of alignment and loss on one evaluation set, over the training sets without controls."""
        points = self._table(run, "analysis/points")
        points = _chosen(points[~points["is_control"]], where, f"{run}/analysis/points")
        if points["eval_set"].nunique() != 1 or points["metric"].nunique() != 1:
            raise UserError(f"r_on {where}: name one metric and one evaluation set")
        return float(points["alignment"].corr(points["loss"]))

    def _row(self, run: str, table: str, column: str, where: Mapping[str, Any]) -> pd.Series:
        rows = self._table(run, table)
        asked = f"{run}/{table}: {column} where {', '.join(f'{k}={v}' for k, v in where.items())}"
        rows = _chosen(rows, where, asked)
        if column not in rows:
            raise UserError(f"{asked}: there is no column {column}; there are {', '.join(rows)}")
        if len(rows) != 1:
            raise UserError(f"{asked}: {len(rows)} rows match; name more columns until one row matches")
        row = rows.iloc[0]
        if pd.isna(row[column]):
            raise UserError(f"{asked}: this value is missing in the table")
        return row

    def _read(self, run: str, table: str) -> pd.DataFrame:
        path = self.runs / run / f"{table}.parquet"
        if not path.is_file():
            raise UserError(f"a finding needs {path}, which is missing")
        return read_frame(path)


def _chosen(rows: pd.DataFrame, where: Mapping[str, Any], asked: str) -> pd.DataFrame:
    """Rows with the requested values; `largest` is taken among rows that match the other columns."""
    for name in where:
        if name not in rows:
            raise UserError(f"{asked}: there is no column {name}; there are {', '.join(rows)}")
    for name, wanted in sorted(where.items(), key=lambda item: item[1] == LARGEST):
        if wanted is None:
            rows = rows[rows[name].isna()]
        else:
            rows = rows[rows[name] == (rows[name].max() if wanted == LARGEST else wanted)]
    return rows


def in_prose(value: float, digits: int = 2) -> str:
    """A number as in a sentence, without a zero before the point."""
    text = of_number(value, digits)
    return text.replace("0.", ".", 1) if abs(value) < 1 else text

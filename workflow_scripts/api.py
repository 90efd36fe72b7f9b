"""Plumbline in a notebook: `from workflow_scripts.api import rank, select, mix`.

Pass texts as the name of a file, as a list of strings, or as a `datasets.Dataset` with the text in a column. Texts in
memory are written to files first. Everything else works like the command `plumbline`, with the same results.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandas as pd

from workflow_scripts.commands.config import METRICS
from workflow_scripts.commands.mix import mix_files
from workflow_scripts.commands.options import Shared
from workflow_scripts.commands.rank import rank_files
from workflow_scripts.commands.run import INPUTS, answers_of
from workflow_scripts.commands.select import places, select_rows
from workflow_scripts.errors import UserError
from workflow_scripts.report.answers import mix_sentence
from workflow_scripts.storage.tables import read_frame, read_json, read_plain_json

if TYPE_CHECKING:
    from datasets import Dataset

Texts: TypeAlias = "str | PathLike[str] | Sequence[str] | Dataset"
Named: TypeAlias = "Mapping[str, Texts] | Sequence[str | PathLike[str]]"


@dataclass(frozen=True)
class Ranking:
    """An answer of `rank`: table, best first; sentence; advice for an undecided ranking; warnings by name."""

    table: pd.DataFrame
    sentence: str
    what_would_settle_it: str
    warnings: Mapping[str, list[str]]
    folder: Path
    """Contains the page index.html, and the config for `plumbline run`."""

    def _repr_html_(self) -> str:
        return f"<p><b>{self.sentence}</b> {self.what_would_settle_it}</p>{self.table.to_html(index=False)}"


@dataclass(frozen=True)
class Selection:
    """An answer of `select`: the file of the rows, and counts."""

    rows: Path
    summary: Mapping[str, Any]
    folder: Path

    def table(self) -> pd.DataFrame:
        """All rows, in memory."""
        return (
            pd.read_parquet(self.rows)
            if self.rows.suffix == ".parquet"
            else pd.read_json(self.rows, lines=True)
        )


@dataclass(frozen=True)
class Mix:
    """An answer of `mix`: shares of the candidates, a table of shares and prices, and a table of gains."""

    shares: Mapping[str, float]
    table: pd.DataFrame
    gains: pd.DataFrame
    sentence: str
    folder: Path


def rank(
    target: Texts,
    candidates: Named,
    *,
    output: str | PathLike[str] | None = None,
    text: str | None = None,
    metrics: Sequence[str] = METRICS,
    verify: int = 0,
    cores: int | None = None,
    seed: int = 0,
    tokenizer: str | None = None,
) -> Ranking:
    """Rank candidates as training data for a target.

    candidates: texts by name, or files, which keep their names. text: column of the text in files and data sets, if it
    is not `text`. output: folder of the answer; if you use a folder again, only new parts are computed. metrics:
    measures of alignment, of which the first decides. verify: number of best candidates to train on, which takes
    minutes each. A mistake in the input raises a `UserError` of one sentence.
    """
    folder = _folder(output)
    rank_files(
        _file(target, "target", text, folder / INPUTS),
        _files(candidates, text, folder / INPUTS / "candidates"),
        Shared(folder, text, cores, seed, tokenizer),
        metrics=metrics,
        verify=verify,
    )
    answers = answers_of(folder, "rank")
    answer = read_json(answers / "answer.json")
    return Ranking(
        read_frame(answers / "ranking.parquet"),
        answer["sentence"],
        answer["what_would_settle_it"],
        answer["warnings"],
        folder,
    )


def select(
    target: Texts,
    pool: Named,
    *,
    tokens: int,
    score: Literal["ngrams", "fisher"] = "ngrams",
    output: str | PathLike[str] | None = None,
    text: str | None = None,
    cores: int | None = None,
    seed: int = 0,
    tokenizer: str | None = None,
) -> Selection:
    """Choose `tokens` tokens of rows from a pool, those nearest to a target.

    score: "fisher" orders the best rows by n-grams with the Fisher information of a small model, which is trained
    first. output: a folder, or the file of the rows, .parquet or .jsonl. Other arguments as for `rank`.
    """
    given = _folder(output)
    _, folder = places(given)
    rows, folder = select_rows(
        _file(target, "target", text, folder / INPUTS),
        _files(pool, text, folder / INPUTS / "candidates"),
        Shared(given, text, cores, seed, tokenizer),
        tokens=tokens,
        score=score,
    )
    return Selection(rows, read_json(answers_of(folder, "select") / f"summary{rows.suffix}.json"), folder)


def mix(
    targets: Named,
    candidates: Named,
    *,
    tokens: int,
    epochs: float = 4,
    weights: Mapping[str, float] | None = None,
    minimum_shares: Mapping[str, float] | None = None,
    output: str | PathLike[str] | None = None,
    text: str | None = None,
    metrics: Sequence[str] = METRICS,
    cores: int | None = None,
    seed: int = 0,
    tokenizer: str | None = None,
) -> Mix:
    """Shares of the candidates for some targets and a budget of `tokens`, none read more than `epochs` times.

    weights: of targets, 1 by default. minimum_shares: of candidates. Other arguments as for `rank`.
    """
    folder = _folder(output)
    mix_files(
        _files(targets, text, folder / INPUTS),
        _files(candidates, text, folder / INPUTS / "candidates"),
        Shared(folder, text, cores, seed, tokenizer),
        tokens=tokens,
        epochs=epochs,
        weights=weights or {},
        minimum_shares=minimum_shares or {},
        metrics=metrics,
    )
    answers = answers_of(folder, "mix")
    table, gains = read_frame(answers / "mix.parquet"), read_frame(answers / "gains.parquet")
    return Mix(read_plain_json(answers / "weights.json"), table, gains, mix_sentence(table, gains), folder)


def _folder(output: str | PathLike[str] | None) -> Path:
    return Path(tempfile.mkdtemp(prefix="plumbline_")) if output is None else Path(output)


def _files(named: Named, text: str | None, folder: Path) -> list[str]:
    """The options for files, which keep their names, or for texts by name."""
    if isinstance(named, Mapping):
        return [_file(texts, name, text, folder) for name, texts in named.items()]
    return [str(one) for one in named]


def _file(texts: Texts, name: str, text: str | None, folder: Path) -> str:
    """The file of some texts; texts in memory are written to a file `name` in `folder`."""
    if isinstance(texts, (str, PathLike)):
        return str(texts)
    column = text or "text"
    if isinstance(texts, Sequence):
        rows = list(texts)
    else:
        if column not in texts.column_names:
            raise UserError(f"{name} has no column {column}; its columns are {', '.join(texts.column_names)}")
        rows = texts[column]
    path = folder / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps({column: row}, ensure_ascii=False) + "\n")
    return str(path)

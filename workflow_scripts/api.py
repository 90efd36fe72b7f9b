"""Plumbline in a notebook: `from workflow_scripts.api import rank`.

Texts are given as the name of a file, as a list of strings, or as a `datasets.Dataset` with the text in a column. What
is in memory is written to files first. Then everything is as with the command `plumbline`, and gives its numbers.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from workflow_scripts.commands.config import METRICS
from workflow_scripts.commands.rank import rank_files
from workflow_scripts.commands.run import INPUTS, answers_of
from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import read_frame, read_json

if TYPE_CHECKING:
    from datasets import Dataset

Texts: TypeAlias = "str | PathLike[str] | Sequence[str] | Dataset"


@dataclass(frozen=True)
class Ranking:
    """An answer of `rank`: its table, best first; its sentence; what would settle it; warnings by name of the texts."""

    table: pd.DataFrame
    sentence: str
    what_would_settle_it: str
    warnings: Mapping[str, list[str]]
    folder: Path
    """With the page index.html, and the config, which `plumbline run` takes."""

    def _repr_html_(self) -> str:
        return f"<p><b>{self.sentence}</b> {self.what_would_settle_it}</p>{self.table.to_html(index=False)}"


def rank(
    target: Texts,
    candidates: Mapping[str, Texts] | Sequence[str | PathLike[str]],
    *,
    output: str | PathLike[str] | None = None,
    text: str | None = None,
    metrics: Sequence[str] = METRICS,
    cores: int | None = None,
    seed: int = 0,
    tokenizer: str | None = None,
) -> Ranking:
    """Rank candidates as training data for a target.

    candidates: by name, or files, which are called as they are. text: column of the text in files and data sets, where
    it is not `text`. output: folder of the answer; the same folder again computes only what is new. metrics: measures
    of alignment, of which the first decides. A mistake in the input is a `UserError` of one sentence.
    """
    folder = _folder(output)
    named = candidates if isinstance(candidates, Mapping) else {}
    files = [_file(one, name, text, folder) for name, one in named.items()]
    files += [] if named else [str(one) for one in candidates]
    rank_files(
        _file(target, "target", text, folder),
        files,
        output=folder,
        text=text,
        metrics=metrics,
        cores=cores,
        seed=seed,
        tokenizer=tokenizer,
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


def _folder(output: str | PathLike[str] | None) -> Path:
    return Path(tempfile.mkdtemp(prefix="plumbline_")) if output is None else Path(output)


def _file(texts: Texts, name: str, text: str | None, folder: Path) -> str:
    """The file that holds some texts; texts in memory are written to one that is called `name`."""
    if isinstance(texts, (str, PathLike)):
        return str(texts)
    column = text or "text"
    if isinstance(texts, Sequence):
        rows = list(texts)
    else:
        if column not in texts.column_names:
            raise UserError(f"{name} has no column {column}; its columns are {', '.join(texts.column_names)}")
        rows = texts[column]
    path = folder / INPUTS / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps({column: row}, ensure_ascii=False) + "\n")
    return str(path)

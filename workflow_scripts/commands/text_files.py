"""A user's files as corpora of a config: find their text, and report errors before any job starts."""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from workflow_scripts.corpora.sources.files import matching_files, named_rows
from workflow_scripts.errors import UserError
from workflow_scripts.storage.content_store import file_digest

PAIR = ("prompt", "completion")
# Bytes of a file that are read to check it.
_LOOKED_AT_ROWS = 1000
_LOOKED_AT_BYTES = 1 << 20
FEWEST_WORDS = 1500
"""Fewer words are too few for useful batches; docs/OWN_DATA.md states the number, too."""


@dataclass(frozen=True)
class TextFile:
    """One file: its path, its label for the user, its name in a config, its entry there without keys of the run."""

    path: Path
    label: str
    name: str
    entry: dict[str, Any]
    words_seen: int
    is_seen_whole: bool

    def is_shorter_than(self, words: int) -> bool:
        return self.is_seen_whole and self.words_seen < words


def look_at(paths: Sequence[str], text: str | None) -> list[TextFile]:
    """The files, after reading the beginning of each; `text` is the user's text column, if given."""
    named = [Path(path).expanduser() for path in paths]
    names: set[str] = set()
    found = []
    for path, label in zip(named, _labels(named), strict=True):
        one = _looked_at(path, label, text, names)
        names.add(one.name)
        found.append(one)
    return found


def _labels(paths: Sequence[Path]) -> list[str]:
    """Labels of the files: their stems, with folders or a number if several are the same."""
    stems = [_stem(path) for path in paths]
    folders = [f"{path.resolve().parent.name}/{stem}" for path, stem in zip(paths, stems, strict=True)]
    labels: list[str] = []
    for stem, folder in zip(stems, folders, strict=True):
        label = stem if stems.count(stem) == 1 else folder
        number = labels.count(label) + sum(taken.startswith(f"{label} (") for taken in labels)
        labels.append(f"{label} ({number + 1})" if number else label)
    return labels


def usable(
    targets: Sequence[TextFile], candidates: Sequence[TextFile], fewest_words: int = FEWEST_WORDS
) -> list[TextFile]:
    """The candidates that can be measured and are not copies; others are left out with a message."""
    for target in targets:
        if target.is_shorter_than(FEWEST_WORDS):
            raise UserError(
                f"{target.path} has {target.words_seen} words, but a target needs at least {FEWEST_WORDS}; "
                "add more text of its kind"
            )
    kept: list[TextFile] = []
    for one in candidates:
        if any(same_content(one.path, target.path) for target in targets):
            raise UserError(f"{one.path} is the target itself; leave it out, or name another target")
        twin = next((other for other in kept if same_content(one.path, other.path)), None)
        if twin:
            _say(f"{one.path} is left out: it is the same as {twin.path}")
        elif one.is_shorter_than(fewest_words):
            _say(
                f"{one.path} is left out: it has {one.words_seen} words, but a candidate needs {fewest_words}"
            )
        else:
            kept.append(one)
    if not kept:
        raise UserError("no candidate is left; give files with more text")
    return kept


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def same_content(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    return one.samefile(other) or file_digest(one) == file_digest(other)


def _looked_at(path: Path, label: str, text: str | None, taken: set[str]) -> TextFile:
    if path.is_dir():
        raise UserError(f"{path} is a folder; name its files, such as {path}/*.jsonl")
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty")
    try:
        matching_files({"paths": [str(path).replace("[", "[[]")]})
        rows = list(_beginning(path))
    except UserError as mistake:
        raise UserError(str(mistake).removeprefix("files corpus: ")) from None
    if not rows:
        raise UserError(f"{path} has no rows")
    columns = list(rows[0])
    of_text = _text_columns(path, columns, rows, text)
    words = sum(len(str(row.get(column) or "").split()) for row in rows for column in of_text.values())
    if not words:
        raise UserError(
            f"{path}: the column {next(iter(of_text.values()))} is empty in the first {len(rows)} rows; "
            "choose another column of text"
        )
    whole = len(rows) < _LOOKED_AT_ROWS and _size(rows) < _LOOKED_AT_BYTES
    entry = {"source": "files", "paths": [_escaped(path)], **of_text}
    return TextFile(path, label, _name(label, taken), entry, words, whole)


def _beginning(path: Path) -> Iterable[dict[str, Any]]:
    seen = 0
    for _, row in islice(named_rows(path, path.name), _LOOKED_AT_ROWS):
        yield dict(row)
        seen += _size([row])
        if seen >= _LOOKED_AT_BYTES:
            return


def _size(rows: Iterable[Any]) -> int:
    return sum(len(value) for row in rows for value in row.values() if isinstance(value, str))


def _text_columns(path: Path, columns: list[str], rows: Sequence[Any], text: str | None) -> dict[str, str]:
    """Keys of the entry for the text: the requested column, or the only possible one."""
    if text is not None:
        if text not in columns:
            raise UserError(f"{path} has no column {text}; its columns are {', '.join(columns)}")
        return {"text": text}
    if "text" in columns:
        return {"text": "text"}
    if all(side in columns for side in PAIR):
        return {side: side for side in PAIR}
    of_words = [column for column in columns if any(isinstance(row.get(column), str) for row in rows)]
    if len(of_words) == 1:
        return {"text": of_words[0]}
    raise UserError(f"{path} has no column text; choose one of {', '.join(columns)} with --text COLUMN")


def _stem(path: Path) -> str:
    """The file's name without the endings of its format."""
    return re.sub(r"(\.(txt|jsonl|csv|parquet))?(\.gz)?$", "", path.name) or path.name


def _name(label: str, taken: set[str]) -> str:
    """A name that is valid in a config and that no other file has."""
    plain = re.sub(r"[^a-z0-9_]+", "_", label.lower()).strip("_") or "file"
    names = (plain if number == 1 else f"{plain}_{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _escaped(path: Path) -> str:
    """An absolute path without patterns or variables."""
    return re.sub(r"([*?[])", r"[\1]", str(path.resolve()))

"""The rows of a pool, read in order and in batches of bounded size; the corpus entry defines their text."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from workflow_scripts.corpora.columns import RowReader
from workflow_scripts.corpora.sources.files import (
    check_unchanged,
    errors_in_one_line,
    matching_files,
    rows_of,
    state_of,
)
from workflow_scripts.errors import UserError

BATCH_BYTES = 1 << 20
BATCH_ROWS = 4096

NOT_ADMITTED = "not admitted by where"
NO_TEXT = "text missing or empty"
NOT_UNICODE = "not valid Unicode"


@dataclass(frozen=True)
class PoolEntry:
    """One corpus entry of source `files`, as rows to read."""

    name: str
    spec: Mapping[str, Any]
    files: Mapping[Path, str]
    """Each file, and its path from the common folder of all files."""

    @classmethod
    def opened(cls, name: str, spec: Mapping[str, Any]) -> "PoolEntry":
        if not isinstance(spec, dict) or spec.get("source") != "files":
            raise UserError(
                f"pool {name}: its source is {spec.get('source')!r}; a pool needs a corpus of source files"
            )
        if spec.get("joined_rows"):
            raise UserError(
                f"pool {name}: joined_rows makes one text of many rows, so no row can be chosen; remove it"
            )
        try:
            return cls(name, spec, matching_files(dict(spec)))
        except UserError as mistake:
            raise UserError(f"pool {name}: {mistake}") from None

    @property
    def is_limited(self) -> bool:
        """Whether the choice of rows depends on rows before them, in this file or in earlier ones."""
        return bool(self.spec.get("skip")) or self.spec.get("documents") is not None

    def bytes(self) -> int:
        """Size of its files on the disk."""
        return sum(path.stat().st_size for path in self.files)

    def reader(self) -> RowReader:
        return RowReader(self.spec, f"pool {self.name}")


@dataclass
class Batch:
    """Some rows of one file: their text as UTF-8, their names, and all of their columns."""

    file: str
    texts: list[bytes] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    bytes: int = 0

    def is_full(self) -> bool:
        return self.bytes >= BATCH_BYTES or len(self.texts) >= BATCH_ROWS


class RowStream:
    """The rows of some files of an entry, in order; counts rows left out, and tracks its progress."""

    def __init__(self, entry: PoolEntry, files: Mapping[Path, str]):
        self.entry, self.files = entry, files
        self.skipped: Counter[str] = Counter()
        self._finished = 0
        self._raw: BinaryIO | None = None

    def bytes_read(self) -> int:
        """Bytes of the files on the disk that have been read."""
        is_open = self._raw is not None and not self._raw.closed
        return self._finished + (self._raw.tell() if self._raw is not None and is_open else 0)

    def batches(self) -> Iterator[Batch]:
        """All rows with text. A batch has rows of one file."""
        reader = self.entry.reader()
        first = self.entry.spec.get("skip") or 0
        most = self.entry.spec.get("documents")
        seen = 0
        for path, short in self.files.items():
            batch = Batch(short)
            for name, row in self._named_rows(path, short):
                text = text_of(reader, name, row, self.skipped)
                if text is None:
                    continue
                seen += 1
                if seen <= first:
                    continue
                if most is not None and seen > first + most:
                    break
                batch.texts.append(text)
                batch.names.append(name)
                batch.rows.append(row)
                batch.bytes += len(text)
                if batch.is_full():
                    yield batch
                    batch = Batch(short)
            if batch.texts:
                yield batch
            self._finished += path.stat().st_size

    def _named_rows(self, path: Path, short: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        try:
            before = state_of(path, short)
            with errors_in_one_line(short), path.open("rb") as self._raw:
                yield from rows_of(self._raw, short)
            check_unchanged(path, short, before)
        except UserError as mistake:
            raise UserError(f"pool {self.entry.name}: {mistake}") from None
        finally:
            self._raw = None


def text_of(reader: RowReader, name: str, row: Mapping[str, Any], skipped: Counter[str]) -> bytes | None:
    """The text of a row as UTF-8; a row without text gives None and is counted."""
    if not reader.admits(name, row):
        skipped[NOT_ADMITTED] += 1
        return None
    sides = reader.sides_of(row)
    if sides is None:
        skipped[NO_TEXT] += 1
        return None
    try:
        return "".join(sides).encode()
    except UnicodeEncodeError:
        skipped[NOT_UNICODE] += 1
        return None


def row_number(name: str) -> int:
    """The number of a row in its file, from its name; a text file is one row."""
    _, mark, number = name.rpartition("#")
    return int(number) if mark and number.isdigit() else 0

"""Documents from files: txt (one per file), jsonl, jsonl.gz, csv, parquet (one per row)."""

import csv
import glob
import gzip
import io
import json
import os
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.corpora.columns import RowReader
from workflow_scripts.corpora.documents import Reading, SourceDocument
from workflow_scripts.errors import UserError
from workflow_scripts.storage.content_store import content_key, file_digest
from workflow_scripts.texts.progress import Progress

_SUFFIXES = (".txt", ".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
# Most bytes of memory of a line or a text, of which there are some ten copies while a corpus is built; also the most
# characters of a value of a CSV file. One emoji makes Python use four bytes for each character.
_LONGEST = 1 << 27
# Most rows, and about the most bytes, of a Parquet file in memory at a time.
_ROWS, _BYTES = 256, 1 << 26

_Rows = Iterator[Mapping[str, Any]]


def read(spec: dict[str, Any]) -> Reading:
    """The first `documents` documents (default: all) of the files in `paths`, sorted."""
    files = matching_files(spec)
    before = {path: state_of(path, short) for path, short in files.items()}
    reader = RowReader(spec, "files corpus")
    rows = _all_rows(files)

    def documents() -> Iterator[SourceDocument]:
        yield from reader.documents(rows)
        for path, short in files.items():
            check_unchanged(path, short, before[path])

    provenance = {
        "source": "files: " + ", ".join(files.values()),
        "revision": content_key(files={short: _digest(path, short) for path, short in files.items()}),
        "licence": spec.get("licence", "not stated"),
    }
    return Reading(documents(), provenance)


def _all_rows(files: Mapping[Path, str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The rows of all files; the log tells how far their reading is."""
    progress, before = Progress("files", sum(path.stat().st_size for path in files)), 0
    for path, short in files.items():
        with errors_in_one_line(short), path.open("rb") as raw:
            for name, row in rows_of(raw, short):
                yield name, row
                # The reader of the rows closes the file after the last one.
                progress.at(before + (0 if raw.closed else raw.tell()))
            before += path.stat().st_size


def matching_files(spec: dict[str, Any]) -> dict[Path, str]:
    """The files in `paths`, each with a name that does not depend on the location of the folder."""
    named = spec.get("paths", [])
    patterns = [named] if isinstance(named, str) else list(named)
    if not patterns:
        raise UserError("files corpus: paths is empty; name at least one file or glob")
    found: set[Path] = set()
    for pattern in patterns:
        expanded = str(Path(os.path.expandvars(pattern)).expanduser())
        if "$" in expanded:
            raise UserError(f"files corpus: {pattern!r} uses an environment variable that is not set; set it")
        # Path.glob refuses absolute patterns.
        matches = [Path(path) for path in glob.glob(expanded, recursive=True) if Path(path).is_file()]  # noqa: PTH207
        if not matches:
            raise UserError(f"files corpus: no file matches {pattern!r}; correct it in paths")
        found.update(path.absolute() for path in matches)
    for path in sorted(found):
        if not path.name.endswith(_SUFFIXES):
            raise UserError(
                f"files corpus: {path.name!r} has an unknown format; allowed are {', '.join(_SUFFIXES)}"
            )
    top = os.path.commonpath([path.parent for path in found])
    return {path: path.relative_to(top).as_posix() for path in sorted(found)}


def named_rows(path: Path, short: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with errors_in_one_line(short), path.open("rb") as raw:
        yield from rows_of(raw, short)


def state_of(path: Path, short: str) -> tuple[int, int, int]:
    """What changes if somebody writes to a file, or puts another one in its place."""
    with errors_in_one_line(short):
        found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def check_unchanged(path: Path, short: str, before: tuple[int, int, int]) -> None:
    """Refuse a file that was written to since `before`: a part of its rows would be old, and a part new."""
    if state_of(path, short) != before:
        raise UserError(
            f"files corpus: {short} was changed while it was read; "
            "wait until nothing writes to it, and run the same command again"
        )


def _digest(path: Path, short: str) -> str:
    with errors_in_one_line(short):
        return file_digest(path)


def rows_of(raw: BinaryIO, short: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The named rows of an open file; its name decides the format, and `raw.tell()` gives the progress of reading."""
    with errors_in_one_line(short):
        if short.endswith(".txt"):
            text = io.TextIOWrapper(raw, encoding="utf-8").read(_LONGEST)
            if sys.getsizeof(text) > _LONGEST:
                raise _too_long(short, "", "cut it into several files, or write it as JSON lines")
            yield short, {"text": text}
            return
        for number, row in enumerate(_rows(raw, short)):
            yield f"{short}#{number}", row


@contextmanager
def errors_in_one_line(short: str) -> Iterator[None]:
    """Turn errors of the format readers into one sentence with the file's name and what to do."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise UserError(
            f"files corpus: {short} is not UTF-8 text (byte 0x{error.object[error.start]:02x}: {error.reason}); "
            "save it as UTF-8"
        ) from None
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(
            f"files corpus: {short} has disappeared while it was read; put it back, and run the same command again"
        ) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(
            f"files corpus: {short} is not a complete gzip file ({error}); compress it again, or drop .gz from its name"
        ) from None
    except (pa.ArrowException, OSError) as error:
        if (
            isinstance(error, OSError) and error.errno is not None
        ):  # of the machine, not of the Parquet reader
            raise
        reason = next(iter(str(error).splitlines()), "")[:200]
        raise UserError(
            f"files corpus: {short} is not a complete Parquet file ({reason}); write it again"
        ) from None


def _rows(raw: BinaryIO, short: str) -> _Rows:
    if short.endswith((".jsonl", ".jsonl.gz")):
        for number, line in enumerate(text_lines(raw, short), start=1):
            if line.strip():
                yield json_row(line, short, f"line {number}")
    elif short.endswith((".csv", ".csv.gz")):
        yield from _csv_rows(raw, short)
    else:
        with pq.ParquetFile(raw, page_checksum_verification=True) as file:
            for batch in file.iter_batches(batch_size=_rows_at_a_time(file.metadata)):
                yield from batch.to_pylist()


def _rows_at_a_time(metadata: pq.FileMetaData) -> int:
    """Fewer rows if they are long."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    longest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=0)
    return int(min(max(_BYTES / max(longest, 1), 1), _ROWS))


def _decoded(raw: BinaryIO, short: str, encoding: str, newline: str | None = None) -> TextIO:
    if short.endswith(".gz"):
        return cast(TextIO, gzip.open(raw, "rt", encoding=encoding, newline=newline))
    return io.TextIOWrapper(raw, encoding=encoding, newline=newline)


def _csv_rows(raw: BinaryIO, short: str) -> _Rows:
    """Rows as wide as the header; a byte order mark is ignored."""
    csv.field_size_limit(_LONGEST)
    with _decoded(raw, short, "utf-8-sig", newline="") as stream:
        reader = csv.reader(_short_lines(stream, short), strict=True)
        try:
            header = next(reader, None)
            if not header:
                raise UserError(f"files corpus: {short} is empty; its first line must name the columns")
            for row in reader:
                if row and len(row) != len(header):
                    raise UserError(
                        f"files corpus: {short} line {reader.line_num} has {len(row)} values, but the header has "
                        f"{len(header)} columns; put values with commas into quotes"
                    )
                if row:
                    yield dict(zip(header, row, strict=True))
        except csv.Error as error:
            raise UserError(
                f"files corpus: {short} line {reader.line_num} is not CSV ({error}); "
                "look for an unclosed quote"
            ) from None


def text_lines(raw: BinaryIO, short: str) -> Iterator[str]:
    """The lines of a file of JSON lines, compressed or not."""
    with _decoded(raw, short, "utf-8") as stream:
        yield from _short_lines(stream, short)


def _short_lines(stream: TextIO, short: str) -> Iterator[str]:
    for number, line in enumerate(iter(partial(stream.readline, _LONGEST), ""), start=1):
        if sys.getsizeof(line) > _LONGEST:
            raise _too_long(short, f" line {number}", "write one row per line")
        yield line


def _too_long(short: str, place: str, remedy: str) -> UserError:
    return UserError(f"files corpus: {short}{place} needs more than {_LONGEST >> 20} MB of memory; {remedy}")


def json_row(line: str, short: str, place: str) -> Mapping[str, Any]:
    """The object on a line; `place` is the line in error messages."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else _reason(error)
        raise UserError(f"files corpus: {short} {place} is not JSON ({reason})") from None
    if not isinstance(row, dict):
        raise UserError(f"files corpus: {short} {place} is not an object with columns")
    return row


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else "a number has too many digits"

"""Documents from files: txt (one per file), jsonl, jsonl.gz, csv, parquet (one per row)."""

import csv
import glob
import gzip
import io
import json
import os
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

_SUFFIXES = (".txt", ".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
# Most characters of a line, or of a value of a CSV file: several copies of a longer document would not fit in memory.
_LONGEST = 1 << 28

_Rows = Iterator[Mapping[str, Any]]


def read(spec: dict[str, Any]) -> Reading:
    """The first `documents` documents (default: all) of the files in `paths`, sorted."""
    files = matching_files(spec)
    reader = RowReader(spec, "files corpus")
    rows = ((name, row) for path, short in files.items() for name, row in named_rows(path, short))
    documents: Iterator[SourceDocument] = reader.documents(rows)
    provenance = {
        "source": "files: " + ", ".join(files.values()),
        "revision": content_key(files={short: file_digest(path) for path, short in files.items()}),
        "licence": spec.get("licence", "not stated"),
    }
    return Reading(documents, provenance)


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
    with path.open("rb") as raw:
        yield from rows_of(raw, short)


def rows_of(raw: BinaryIO, short: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The named rows of an open file; its name decides the format, and `raw.tell()` gives the progress of reading."""
    with errors_in_one_line(short):
        if short.endswith(".txt"):
            yield short, {"text": io.TextIOWrapper(raw, encoding="utf-8").read()}
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
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(
            f"files corpus: {short} is not a complete gzip file ({error}); compress it again, or drop .gz from its name"
        ) from None
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0][:200]
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
            for batch in file.iter_batches(batch_size=4096):
                yield from batch.to_pylist()


def _decoded(raw: BinaryIO, short: str, encoding: str, newline: str | None = None) -> TextIO:
    if short.endswith(".gz"):
        return cast(TextIO, gzip.open(raw, "rt", encoding=encoding, newline=newline))
    return io.TextIOWrapper(raw, encoding=encoding, newline=newline)


def _csv_rows(raw: BinaryIO, short: str) -> _Rows:
    """Rows as wide as the header; a byte order mark is ignored."""
    csv.field_size_limit(_LONGEST)
    with _decoded(raw, short, "utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
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
        for number, line in enumerate(iter(partial(stream.readline, _LONGEST), ""), start=1):
            if len(line) == _LONGEST:
                raise UserError(
                    f"files corpus: {short} line {number} has more than {_LONGEST} characters; "
                    "write one object per line"
                )
            yield line


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

"""Documents from files: txt (a document each), jsonl, jsonl.gz, csv, parquet (a document a row)."""

import glob
import gzip
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from workflow_scripts.command_line import UserError
from workflow_scripts.corpora.columns import RowReader
from workflow_scripts.corpora.documents import Reading, SourceDocument
from workflow_scripts.storage.content_store import content_key, file_digest

_SUFFIXES = (".txt", ".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")

_Rows = Iterator[Mapping[str, Any]]


def read(spec: dict[str, Any]) -> Reading:
    """The first `documents` documents (all, when not said) of the files that `paths` names, sorted."""
    files = matching_files(spec)
    reader = RowReader(spec, "files corpus")
    rows = ((name, row) for path, short in files.items() for name, row in _named_rows(path, short))
    documents: Iterator[SourceDocument] = reader.documents(rows)
    provenance = {
        "source": "files: " + ", ".join(files.values()),
        "revision": content_key(files={short: file_digest(path) for path, short in files.items()}),
        "licence": spec.get("licence", "not stated"),
    }
    return Reading(documents, provenance)


def matching_files(spec: dict[str, Any]) -> dict[Path, str]:
    """The files that `paths` names, each with a name that does not depend on where the folder lies."""
    named = spec.get("paths", [])
    patterns = [named] if isinstance(named, str) else list(named)
    if not patterns:
        raise UserError("files corpus: paths is empty; name at least one file or glob")
    found: set[Path] = set()
    for pattern in patterns:
        expanded = str(Path(os.path.expandvars(pattern)).expanduser())
        if "$" in expanded:
            raise UserError(f"files corpus: {pattern!r} names an environment variable that is not set")
        # Path.glob refuses absolute patterns.
        matches = [Path(path) for path in glob.glob(expanded, recursive=True) if Path(path).is_file()]  # noqa: PTH207
        if not matches:
            raise UserError(f"files corpus: no file matches {pattern!r}")
        found.update(path.absolute() for path in matches)
    for path in sorted(found):
        if not path.name.endswith(_SUFFIXES):
            raise UserError(f"files corpus: {path.name!r} is not one of {', '.join(_SUFFIXES)}")
    top = os.path.commonpath([path.parent for path in found])
    return {path: path.relative_to(top).as_posix() for path in sorted(found)}


def _named_rows(path: Path, short: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if path.name.endswith(".txt"):
        yield short, {"text": path.read_text(encoding="utf-8")}
        return
    for number, row in enumerate(_rows(path, short)):
        yield f"{short}#{number}", row


def _rows(path: Path, short: str) -> _Rows:
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        yield from _json_lines(path, short)
    elif path.name.endswith((".csv", ".csv.gz")):
        yield from pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    else:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=4096):
            yield from batch.to_pylist()


def _json_lines(path: Path, short: str) -> _Rows:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(f"files corpus: {short} line {number} is not JSON ({error.msg})") from None
            if not isinstance(row, dict):
                raise UserError(f"files corpus: {short} line {number} is not an object with columns")
            yield row

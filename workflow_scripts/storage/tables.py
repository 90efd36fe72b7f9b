"""Parquet and JSON files, written whole or not at all, the same bytes for the same content."""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


@contextmanager
def replaced_whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_table(table: pa.Table | pd.DataFrame, path: str | Path) -> None:
    """Write a table; pandas' own metadata is dropped, because it names library versions."""
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False)
    table = table.replace_schema_metadata(None)
    with replaced_whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=1 << 16)


def read_frame(path: str | Path, columns: list[str] | None = None) -> pd.DataFrame:
    """A Parquet file as a pandas frame; one file, so no partition columns are guessed from folder names."""
    return pq.ParquetFile(path).read(columns=columns).to_pandas()


def read_frames(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Several Parquet files below each other; a column that one of them lacks is null there."""
    return pd.concat([read_frame(path) for path in paths], ignore_index=True)


def write_json(value: Any, path: str | Path) -> None:
    """Write JSON with sorted keys, indented, with a newline at the end."""
    with replaced_whole(path) as temporary:
        temporary.write_text(
            json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def read_json(path: str | Path) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))

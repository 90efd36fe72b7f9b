"""Parquet and JSON files: written atomically, the same bytes for the same content, verified when read."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.storage.durable import flush_to_disk
from workflow_scripts.storage.seals import CHECKSUM, WRITTEN_AS, check_place, check_stamp, seal_of, stamp

if TYPE_CHECKING:
    import pandas as pd  # which takes longer to load than many programs need

VALUES = "values"
UNFINISHED = ".part"  # how the name of a file or folder ends while it is written; it begins with a dot


def is_unfinished(name: str) -> bool:
    """Whether a file or folder of this name was being written; if its writer was killed, it is of no use."""
    return name.startswith(".") and name.endswith(UNFINISHED)


@contextmanager
def replaced_whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to `path` that replaces it if the block ends without an error.

    A power cut leaves the old file or the whole new one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        flush_to_disk(temporary)
        temporary.replace(path)
        flush_to_disk(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)  # the error of a full disk names no file
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_table(table: "pa.Table | pd.DataFrame", path: str | Path) -> None:
    """Write a table with a seal; pandas' own metadata is dropped, because it names library versions."""
    if not isinstance(table, pa.Table):
        table = pa.Table.from_pandas(table, preserve_index=False)
    table = table.replace_schema_metadata(None)
    write_portions([table], table.schema, path)


def write_portions(portions: Iterable[pa.Table], schema: pa.Schema, path: str | Path) -> None:
    """Write a table with a seal that need not fit into memory; `schema` has no metadata."""
    with replaced_whole(path) as temporary:
        with pq.ParquetWriter(temporary, schema, compression="zstd", write_page_checksum=True) as writer:
            for table in portions:
                writer.write_table(table, row_group_size=1 << 16)
            writer.add_key_value_metadata(seal_of(path))
        stamp(temporary)


def open_table(path: str | Path) -> pq.ParquetFile:
    """A table that `write_table` wrote; refused if it is damaged or was written as another one.

    Page checksums are verified again when the pages are read, because the file may change in between.
    """
    check_stamp(path)
    file = pq.ParquetFile(path, page_checksum_verification=True)
    check_place(path, file.metadata.metadata[WRITTEN_AS.encode()].decode())
    return file


def read_table(path: str | Path, columns: list[str] | None = None) -> pa.Table:
    """A whole table; one file, so no partition columns are guessed from folder names."""
    with open_table(path) as file:
        return file.read(columns=columns).replace_schema_metadata(None)


def read_frame(path: str | Path, columns: list[str] | None = None) -> "pd.DataFrame":
    """A whole table as a pandas frame."""
    return read_table(path, columns).to_pandas()


def write_json(value: Any, path: str | Path, place: str | Path | None = None) -> None:
    """Write a value that the workflow reads again, with a seal beside its keys or around a list.

    `place` is the file's final path, if its folder is moved there.
    """
    sealed = {**seal_of(place or path), **(value if isinstance(value, dict) else {VALUES: value})}
    with replaced_whole(path) as temporary:
        temporary.write_text(_as_text(sealed), encoding="utf-8")
        stamp(temporary)


def read_json(path: str | Path) -> Any:
    """A value that `write_json` wrote; refused if it is damaged or was written as another file."""
    check_stamp(path)
    value = read_plain_json(path)
    check_place(path, value.pop(WRITTEN_AS))
    del value[CHECKSUM]
    return value[VALUES] if value.keys() == {VALUES} else value


def write_plain_json(value: Any, path: str | Path) -> None:
    """Write JSON without a seal, for files that other programs read or that git tracks."""
    with replaced_whole(path) as temporary:
        temporary.write_text(_as_text(value), encoding="utf-8")


def read_plain_json(path: str | Path) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def _as_text(value: Any) -> str:
    """JSON with sorted keys, indented, with a newline at the end."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

"""Rows kept on the disk, in a Parquet file that is written and read in portions."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

PORTION_BYTES = 32 << 20
"""Bytes of packed rows in memory before they are written."""

_SCHEMA = pa.schema([("key", pa.int64()), ("row", pa.binary())])


def pack(row: Any) -> bytes:
    """A row as bytes; its values may have any type that Parquet supports. Only this program reads them."""
    return pickle.dumps(row, protocol=pickle.HIGHEST_PROTOCOL)


def unpack(packed: bytes) -> Any:
    return pickle.loads(packed)


class Spill:
    """Packed rows, each under a number from the caller."""

    def __init__(self, path: Path, portion_bytes: int = PORTION_BYTES):
        self.path = path
        self._portion_bytes = portion_bytes
        self._writer: pq.ParquetWriter | None = None
        self._keys: list[int] = []
        self._rows: list[bytes] = []
        self._held = 0

    def add(self, key: int, packed: bytes) -> None:
        self._keys.append(key)
        self._rows.append(packed)
        self._held += len(packed)
        if self._held >= self._portion_bytes:
            self.end_portion()

    def end_portion(self) -> None:
        """Write the rows in memory as one portion."""
        if not self._keys:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, _SCHEMA, compression="lz4")
        columns = [pa.array(self._keys, pa.int64()), pa.array(self._rows, pa.binary())]
        self._writer.write_table(
            pa.Table.from_arrays(columns, schema=_SCHEMA), row_group_size=len(self._keys)
        )
        self._keys, self._rows, self._held = [], [], 0

    def close(self) -> None:
        self.end_portion()
        if self._writer is not None:
            self._writer.close()

    def portions(self) -> Iterator[list[tuple[int, bytes]]]:
        """All rows, in the order in which they were added; after `close`."""
        if self._writer is not None:
            yield from portions_of(self.path)

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)


def portions_of(path: Path) -> Iterator[list[tuple[int, bytes]]]:
    """The rows of a closed spill, also of another process: (number, packed row)."""
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            table = file.read_row_group(number)
            yield list(zip(table["key"].to_pylist(), table["row"].to_pylist(), strict=True))

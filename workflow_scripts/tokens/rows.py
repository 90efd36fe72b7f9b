"""The table of token rows that every later stage reads."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.storage.tables import open_table, read_table, write_portions
from workflow_scripts.storage.unnamed import unnamed_file

_PORTION = 1 << 20
"""Tokens of a set in memory at a time when it is read in portions."""

_NAMES = 1 << 18
"""Rows whose documents are counted at a time."""

_MOST_IN_MEMORY = 1 << 26
"""Tokens of a set beyond which training reads it from a file."""


@dataclass(frozen=True)
class Rows:
    """Rows of equal length, right-padded if `n_tokens` is smaller than the row.

    `loss_mask` is true on the tokens that count in a loss on the answer only: the completion of a pair, every real
    token of plain text. It is false on padding.
    """

    row_ids: list[str]
    doc_ids: list[list[str]]
    input_ids: np.ndarray  # int32, (rows, length)
    n_tokens: np.ndarray  # int32, (rows,)
    loss_mask: np.ndarray  # bool, (rows, length)

    def __len__(self) -> int:
        return len(self.n_tokens)

    @property
    def length(self) -> int:
        return self.input_ids.shape[1]

    @property
    def attention_mask(self) -> np.ndarray:
        """True on real tokens."""
        return np.arange(self.length)[None, :] < self.n_tokens[:, None]

    @property
    def have_prompts(self) -> bool:
        """Whether some real token belongs to no answer."""
        return bool((self.attention_mask & ~self.loss_mask).any())

    def take(self, index: np.ndarray) -> "Rows":
        """The rows at `index`, in that order."""
        return Rows(
            [self.row_ids[i] for i in index],
            [self.doc_ids[i] for i in index],
            self.input_ids[index],
            self.n_tokens[index],
            self.loss_mask[index],
        )


def write_rows(rows: Rows, path: str | Path) -> None:
    """Columns row_id, doc_ids, input_ids, n_tokens, loss_mask."""
    write_row_portions([rows], path)


def write_row_portions(portions: Iterable[Rows], path: str | Path) -> tuple[int, int]:
    """Rows that need not fit into memory, in one portion at least; returns how many rows and real tokens they are."""
    remaining = iter(portions)
    first = next(remaining)
    counts = [0, 0]

    def tables() -> Iterator[pa.Table]:
        for rows in chain([first], remaining):
            counts[0] += len(rows)
            counts[1] += int(rows.n_tokens.sum())
            yield _as_table(rows)

    write_portions(tables(), _as_table(first).schema, path)
    return counts[0], counts[1]


def _as_table(rows: Rows) -> pa.Table:
    return pa.table(
        {
            "row_id": pa.array(rows.row_ids, pa.string()),
            "doc_ids": pa.array(rows.doc_ids, pa.list_(pa.string())),
            "input_ids": pa.FixedSizeListArray.from_arrays(
                pa.array(rows.input_ids.reshape(-1), pa.int32()), rows.length
            ),
            "n_tokens": pa.array(rows.n_tokens, pa.int32()),
            "loss_mask": pa.FixedSizeListArray.from_arrays(
                pa.array(rows.loss_mask.reshape(-1), pa.bool_()), rows.length
            ),
        }
    )


def read_rows(path: str | Path, index: np.ndarray | None = None) -> Rows:
    """The rows at `index` in that order, or all: 5 bytes per token, and the ids of rows and documents.

    To read some rows, one portion of the table is in memory at a time.
    """
    if index is None:
        return _as_rows(read_table(path))
    order = np.argsort(index, kind="stable")
    wanted = np.asarray(index)[order]
    tables, start = [], 0
    with open_table(path) as file:
        for number in range(file.metadata.num_row_groups):
            end = start + file.metadata.row_group(number).num_rows
            within = wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, end)]
            if len(within):
                tables.append(file.read_row_group(number).take(pa.array(within - start)))
            start = end
        empty = file.schema_arrow.empty_table()
    if len(wanted) and (wanted[0] < 0 or wanted[-1] >= start):
        raise IndexError(f"{path} has {start} rows, and row {wanted[-1]} is asked for")
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return _as_rows(pa.concat_tables(tables) if tables else empty).take(places)


def row_portions(path: str | Path) -> Iterator[Rows]:
    """All rows in their order, some at a time; at least one portion comes, which may be empty."""
    with open_table(path) as file:
        if not file.metadata.num_rows:
            yield _as_rows(file.schema_arrow.empty_table())
        length = file.schema_arrow.field("input_ids").type.list_size
        for part in file.iter_batches(max(1, _PORTION // length)):
            yield _as_rows(pa.Table.from_batches([part]))


def count_rows(path: str | Path) -> int:
    with open_table(path) as file:
        return int(file.metadata.num_rows)


def count_tokens(path: str | Path) -> int:
    """Real tokens of a set."""
    return int(pc.sum(read_table(path, ["n_tokens"]).column("n_tokens")).as_py() or 0)


def count_documents(path: str | Path) -> int:
    """Different documents that the rows of a set name, by a 64-bit hash of the name."""
    import pandas as pd

    hashes = np.empty(0, dtype=np.uint64)
    with open_table(path) as file:
        for part in file.iter_batches(_NAMES, columns=["doc_ids"]):
            names = part.column("doc_ids").flatten().to_numpy(zero_copy_only=False)
            hashes = np.union1d(hashes, pd.util.hash_array(names))
    return len(hashes)


def _as_rows(table: pa.Table) -> Rows:
    return Rows(
        row_ids=table.column("row_id").to_pylist(),
        doc_ids=table.column("doc_ids").to_pylist(),
        input_ids=_matrix(table, "input_ids"),
        n_tokens=table.column("n_tokens").to_numpy(),
        loss_mask=_matrix(table, "loss_mask").astype(bool),
    )


def _matrix(table: "pa.Table | pa.RecordBatch", column: str) -> np.ndarray:
    values = table.column(column)
    chunk = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, chunk.type.list_size)


def read_tokens(path: str | Path) -> Rows:
    """All rows, without ids of rows and documents; those of a large set are in a file that is mapped into memory."""
    with open_table(path) as file:
        n_rows = file.metadata.num_rows
        length = file.schema_arrow.field("input_ids").type.list_size
        n_tokens = np.empty(n_rows, dtype=np.int32)
        input_ids = _array((n_rows, length), np.int32, Path(path).parent)
        loss_mask = _array((n_rows, length), bool, Path(path).parent)
        start = 0
        for part in file.iter_batches(
            max(1, _PORTION // length), columns=["input_ids", "n_tokens", "loss_mask"]
        ):
            end = start + part.num_rows
            input_ids[start:end] = _matrix(part, "input_ids")
            loss_mask[start:end] = _matrix(part, "loss_mask")
            n_tokens[start:end] = part.column("n_tokens").to_numpy()
            start = end
    return Rows([], [], input_ids, n_tokens, loss_mask)


def _array(shape: tuple[int, int], dtype: Any, folder: Path) -> np.ndarray:
    """An empty array, in a file of that folder if it has many elements."""
    if shape[0] * shape[1] <= _MOST_IN_MEMORY:
        return np.empty(shape, dtype=dtype)
    with unnamed_file(folder) as file:
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape)


def split_rows(rows: Rows, indices: Sequence[np.ndarray]) -> list[Rows]:
    """Rows that were read at these indices, one after the other, as one set of rows for each."""
    ends = np.cumsum([len(index) for index in indices])
    return [rows.take(np.arange(end - len(index), end)) for index, end in zip(indices, ends, strict=True)]


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of several tables of equal row length, one after the other."""
    return Rows(
        [row_id for part in parts for row_id in part.row_ids],
        [doc_ids for part in parts for doc_ids in part.doc_ids],
        np.concatenate([part.input_ids for part in parts]),
        np.concatenate([part.n_tokens for part in parts]),
        np.concatenate([part.loss_mask for part in parts]),
    )


def token_portions(path: str | Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`input_ids` and `n_tokens` of some rows at a time, for sets that are larger than memory."""
    yield from _portions(path, "input_ids")


def answer_portions(path: str | Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`loss_mask` and `n_tokens` of the same rows at a time as `token_portions` gives."""
    for answers, n_tokens in _portions(path, "loss_mask"):
        yield answers.astype(bool), n_tokens


def _portions(path: str | Path, column: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    with open_table(path) as file:
        length = file.schema_arrow.field(column).type.list_size
        rows = max(1, _PORTION // length)
        for part in file.iter_batches(batch_size=rows, columns=[column, "n_tokens"]):
            values = part.column(column).flatten().to_numpy(zero_copy_only=False).reshape(-1, length)
            yield values, part.column("n_tokens").to_numpy()


def portions_key(path: str | Path, answers: bool = False) -> str:
    """SHA-256 of the tokens of a set, and of which belong to answers, without ids of rows and documents."""
    digest = hashlib.sha256()
    for input_ids, n_tokens in token_portions(path):
        digest.update(f"{input_ids.dtype.str}{input_ids.shape}".encode())
        digest.update(input_ids.tobytes())
        digest.update(n_tokens.tobytes())
    for is_answer, _ in answer_portions(path) if answers else ():
        digest.update(is_answer.tobytes())
    return digest.hexdigest()

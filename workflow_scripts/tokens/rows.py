"""The table of token rows that every later stage reads."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from workflow_scripts.storage.tables import open_table, read_table, write_table

_PORTION = 1 << 20
"""Tokens of a set in memory at a time when it is read in portions."""


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
        return len(self.row_ids)

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
    write_table(
        pa.table(
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
        ),
        path,
    )


def read_rows(path: str | Path) -> Rows:
    """The whole table in memory: 4 bytes per token, and the ids of its documents."""
    table = read_table(path)

    def matrix(column: str) -> np.ndarray:
        chunks = table.column(column).combine_chunks()
        length = chunks.type.list_size
        return chunks.flatten().to_numpy(zero_copy_only=False).reshape(-1, length)

    return Rows(
        row_ids=table.column("row_id").to_pylist(),
        doc_ids=table.column("doc_ids").to_pylist(),
        input_ids=matrix("input_ids"),
        n_tokens=table.column("n_tokens").to_numpy(),
        loss_mask=matrix("loss_mask"),
    )


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

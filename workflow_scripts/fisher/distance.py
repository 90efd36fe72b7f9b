"""How far Fisher embeddings are apart: one pair, all pairs of two arrays, or of two files larger than memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import ArrayLike

_BLOCK = 256
"""Embeddings of a file that are in memory at a time, on each side: 138 MB of GPT-2 small's."""


def distance(a: ArrayLike | torch.Tensor, b: ArrayLike | torch.Tensor, epsilon: float | None = None) -> float:
    """d(a, b) = 1 - cos(a / (a + b + epsilon), b / (a + b + epsilon)), quotients taken number by number.

    Without an epsilon the form is relative: it does not change when both sides are scaled, and coordinates that
    are zero on both sides drop out. Two embeddings of zeros are at distance 0, and zeros are at 1 from the rest.
    """
    x, y = _array(a).astype(np.float64), _array(b).astype(np.float64)
    if epsilon is None:
        used = (x != 0) | (y != 0)
        x, y = x[used], y[used]
    total = x + y + (epsilon or 0.0)
    u, v = x / total, y / total
    lengths = (u @ u) * (v @ v)
    if lengths == 0:
        return 0.0 if u @ u == v @ v else 1.0
    return float(np.clip(1 - (u @ v) / np.sqrt(lengths), 0, 1))


def distance_matrix(
    A: ArrayLike | torch.Tensor, B: ArrayLike | torch.Tensor, epsilon: float | None = None
) -> np.ndarray:
    """Distances of every row of A to every row of B; half the work where both are the same.

    Sums are made in blocks of the embeddings' own precision, which leaves an error below 1e-6 in float32.
    """
    from workflow_scripts.fisher.pair_sums import cosines  # compiled on first use

    first, second = _array(A), _array(B)
    kind = np.result_type(first, second)
    kind = kind if kind in (np.float32, np.float64) else np.dtype(np.float64)
    is_symmetric = A is B or np.array_equal(first, second)
    first = np.ascontiguousarray(first, dtype=kind)
    second = first if is_symmetric else np.ascontiguousarray(second, dtype=kind)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"rows of {first.shape} and {second.shape} numbers cannot be compared")
    # The smallest normal number keeps zeros on both sides from being divided by zero, and changes nothing else.
    smallest = np.finfo(kind).tiny
    added = smallest if epsilon is None else max(kind.type(epsilon), smallest)
    return np.clip(1 - cosines(first, second, added, is_symmetric), 0, 1)


def embedding_blocks(path: str | Path, rows: int = _BLOCK) -> Iterator[np.ndarray]:
    """The embeddings of a file in order, (up to `rows`, coordinates) float32 at a time."""
    # Buffered, because a column of a row group is read into memory whole otherwise.
    with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True) as file:
        for part in file.iter_batches(batch_size=rows, columns=["embedding"]):
            column = part.column("embedding")
            yield column.flatten().to_numpy().reshape(len(column), -1)


def distance_matrix_of_files(
    first: str | Path, second: str | Path, epsilon: float | None = None, rows: int = _BLOCK
) -> np.ndarray:
    """`distance_matrix` of the embeddings of two files, of which two blocks are in memory at a time.

    Of a file with itself, only blocks on and above the diagonal are compared.
    """
    is_same = Path(first).resolve() == Path(second).resolve()
    sizes = [pq.ParquetFile(path).metadata.num_rows for path in (first, second)]
    result = np.empty(sizes)
    for i, left in enumerate(embedding_blocks(first, rows)):
        down = slice(i * rows, i * rows + len(left))
        for j, right in enumerate(embedding_blocks(second, rows)):
            across = slice(j * rows, j * rows + len(right))
            if is_same and j < i:
                continue
            result[down, across] = distance_matrix(left, left if is_same and i == j else right, epsilon)
            if is_same:
                result[across, down] = result[down, across].T
    return result


def _array(values: ArrayLike | torch.Tensor) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)

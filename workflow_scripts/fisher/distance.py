"""Distances of Fisher embeddings: of one pair, or of all pairs of two arrays."""

import numpy as np
import torch
from numpy.typing import ArrayLike


def distance(a: ArrayLike | torch.Tensor, b: ArrayLike | torch.Tensor, epsilon: float | None = None) -> float:
    """d(a, b) = 1 - cos(a / (a + b + epsilon), b / (a + b + epsilon)), quotients taken elementwise.

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
    """Distances of every row of A to every row of B; half the work if both are the same array.

    Sums are made in blocks, in the precision of the embeddings; in float32 the error is below 1e-6.
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
    # The smallest normal number prevents a division by zero where both sides are zero, and changes nothing else.
    smallest = np.finfo(kind).tiny
    added = smallest if epsilon is None else max(kind.type(epsilon), smallest)
    return np.clip(1 - cosines(first, second, added, is_symmetric), 0, 1)


def _array(values: ArrayLike | torch.Tensor) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)

"""How far two Fisher embeddings are apart."""

import numpy as np
import torch
from numpy.typing import ArrayLike


def distance(a: ArrayLike | torch.Tensor, b: ArrayLike | torch.Tensor, epsilon: float | None = None) -> float:
    """1 - cos(a / (a + b + epsilon), b / (a + b + epsilon)), quotients taken number by number.

    Without an epsilon the form is relative: it does not change when both sides are scaled, and coordinates that
    are zero on both sides drop out. Two embeddings of zeros are at distance 0, and zeros are at 1 from the rest.
    """
    x, y = (
        np.asarray(v.detach().cpu() if isinstance(v, torch.Tensor) else v, dtype=np.float64) for v in (a, b)
    )
    if epsilon is None:
        used = (x != 0) | (y != 0)
        x, y = x[used], y[used]
    total = x + y + (epsilon or 0.0)
    u, v = x / total, y / total
    norms = float(np.sqrt((u @ u) * (v @ v)))
    if norms == 0:
        return 0.0 if u @ u == v @ v else 1.0
    return float(np.clip(1 - (u @ v) / norms, 0, 1))


def distance_matrix(A: np.ndarray, B: np.ndarray, epsilon: float | None = None) -> np.ndarray:
    """(rows of A, rows of B) distances."""
    return np.array([[distance(a, b, epsilon) for b in B] for a in A])

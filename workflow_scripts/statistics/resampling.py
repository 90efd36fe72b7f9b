"""Cluster resamples: families of training sets, evaluation sets and the runs (seeds) of each training set.

All are drawn with replacement. Owen (2007), "The pigeonhole bootstrap": rows and columns of a table are drawn
independently, and the weight of a cell is the count of its row times the count of its column.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Resamples:
    """Weights of cells, shape (B, S, E), and the mean losses of the seeds drawn, the same shape."""

    weights: NDArray[np.float64]
    losses: NDArray[np.float64]


def cluster_resamples(
    losses: NDArray[np.float64], count: int, seed: int, families: NDArray[np.intp] | None = None
) -> Resamples:
    """Draws for losses of shape (seeds, S, E), NaN where missing; the sets of a family are drawn together."""
    n_seeds, n_train, n_eval = losses.shape
    rng = np.random.default_rng([seed, n_seeds, n_train, n_eval])
    own = np.arange(n_train) if families is None else families
    n_families = int(own.max()) + 1
    rows = rng.multinomial(n_families, np.full(n_families, 1 / n_families), count).astype(float)[:, own]
    columns = rng.multinomial(n_eval, np.full(n_eval, 1 / n_eval), count).astype(float)
    # One draw of seeds per training set: a run is evaluated on all sets at once.
    runs = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), (count, n_train)).astype(float)
    present = np.isfinite(losses)
    counted = np.einsum("bsr,rse->bse", runs, present.astype(float))
    total = np.einsum("bsr,rse->bse", runs, np.where(present, losses, 0.0))
    means = np.divide(total, counted, out=np.full(total.shape, np.nan), where=counted > 0)
    weights = rows[:, :, None] * columns[:, None, :] * (counted > 0)
    return Resamples(weights, means)

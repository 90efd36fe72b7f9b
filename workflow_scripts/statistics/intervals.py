"""Intervals for a statistic of a grid: families of training sets and evaluation sets are deleted one at a time.

Variance: the jackknife variance over families plus that over evaluation sets; degrees of freedom after
Satterthwaite; correlations on Fisher's z. The interval is for the association in the population of families and of
evaluation sets from which these come. Seeds need no separate term: a run belongs to one training set, so its noise
is part of the differences between training sets. `benchmarks/statistics.py` compares alternatives by simulation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from workflow_scripts.statistics.correlation import Centring, Grid, correlation, ranks

FEWEST_FAMILIES = 6
"""With fewer independent units, no interval and no p are reported."""
MOST_LEFT_OUT = 50
"""More families than this are left out in this many groups; the variance then has 49 degrees of freedom."""


def left_out_together(families: NDArray[np.intp]) -> NDArray[np.intp]:
    """The group with which each training set is left out: its family, unless there are many families.

    The delete-a-group jackknife (Kott 2001): leaving out one of 512 mixtures at a time costs 512 x 512 grids of
    ranks, and does not estimate the variance better than leaving out 50 groups.
    """
    return families % MOST_LEFT_OUT


def deletions(weights: Grid, families: NDArray[np.intp] | None = None) -> tuple[Grid, Grid]:
    """Weights without one family each, shape (F, S, E), and without one evaluation set, (E, S, E).

    families: the number of each training set's family, from 0; without it every set is its own. Many families
    are left out in groups.
    """
    n_train, n_eval = weights.shape
    own = left_out_together(np.arange(n_train) if families is None else families)
    keep_train = (own != np.arange(own.max() + 1)[:, None]).astype(float)[:, :, None]
    keep_eval = (1.0 - np.eye(n_eval))[:, None, :]
    return weights * keep_train, weights * keep_eval


def deleted_correlations(
    first: Grid,
    second: Grid,
    weights: Grid,
    centring: Centring,
    covariates: tuple[Grid, ...] = (),
    rank: bool = False,
    families: NDArray[np.intp] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlations without each family, shape (..., F), and without each evaluation set, (..., E)."""
    results = []
    for kept in deletions(weights, families):
        x, y = first[..., None, :, :], second[..., None, :, :]
        if rank:
            shape = np.broadcast_shapes(x.shape, kept.shape)
            x, y = (ranks(np.broadcast_to(grid, shape), kept, centring) for grid in (x, y))
        scope: Centring = "pooled" if rank else centring
        results.append(correlation(x, y, kept, scope, [c[..., None, :, :] for c in covariates]))
    return results[0], results[1]


def two_way_jackknife(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Standard error and degrees of freedom from values without one unit of either kind, along the last axes.

    A kind with fewer than two units adds no variance: the interval is then for that one unit.
    """
    first_variance, n_first = _jackknife_variance(first), first.shape[-1]
    second_variance, n_second = _jackknife_variance(second), second.shape[-1]
    total = first_variance + second_variance
    spread = first_variance**2 / max(n_first - 1, 1) + second_variance**2 / max(n_second - 1, 1)
    degrees = np.divide(total**2, spread, out=np.full(np.shape(total), np.nan), where=spread > 0)
    return np.sqrt(total), degrees


def correlation_interval(
    r: NDArray[np.float64], by_family: NDArray[np.float64], by_eval: NDArray[np.float64], level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of a correlation from its leave-one-out values, on Fisher's z; NaN where undefined."""
    error, degrees = two_way_jackknife(_fisher_z(by_family), _fisher_z(by_eval))
    half = t.ppf((1 + level) / 2, degrees) * error
    z = _fisher_z(r)
    return np.tanh(z - half), np.tanh(z + half)


@dataclass(frozen=True)
class Interval:
    """A correlation, the ends of its interval, and its values without each family and each evaluation set."""

    value: float
    low: float
    high: float
    deleted: tuple[NDArray[np.float64], NDArray[np.float64]]


def difference_interval(first: Interval, second: Interval) -> tuple[float, float]:
    """Interval for the difference of two correlations with the same losses (Zou 2007).

    The distances from each correlation to the ends of its interval replace standard errors. The covariance of the two
    correlations comes from their leave-one-out values.
    """
    z = [[_fisher_z(values) for values in one.deleted] for one in (first, second)]
    shared = _jackknife_covariance(z[0][0], z[1][0]) + _jackknife_covariance(z[0][1], z[1][1])
    errors = [two_way_jackknife(*values)[0] for values in z]
    together = float(np.clip(shared / (errors[0] * errors[1]), -1, 1))

    def distance(one: float, other: float) -> float:
        return float(np.sqrt(max(one**2 + other**2 - 2 * together * one * other, 0.0)))

    difference = first.value - second.value
    return (
        difference - distance(first.value - first.low, second.high - second.value),
        difference + distance(first.high - first.value, second.value - second.low),
    )


def _jackknife_variance(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return _jackknife_covariance(values, values)


def _jackknife_covariance(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    n = first.shape[-1]
    if n < 2:
        return np.zeros(first.shape[:-1])
    means = first.mean(axis=-1, keepdims=True), second.mean(axis=-1, keepdims=True)
    return (n - 1) / n * ((first - means[0]) * (second - means[1])).sum(axis=-1)


def _fisher_z(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """arctanh, undefined at a perfect correlation."""
    return np.arctanh(np.where(np.abs(r) < 1 - 1e-12, r, np.nan))

"""Permutation test of two grids: families of training sets are relabelled jointly across evaluation sets.

Pairs that share a training set or an evaluation set are not independent, and training sets differ in quality. So the
test exchanges whole rows. Its hypothesis is that alignments and losses of a training set are unrelated; then every
relabelling is equally likely. The test is exact whatever effects training sets and evaluation sets have (Hubert's
quadratic assignment, restricted to one side; Phipson and Smyth 2010 for +1). It needs independent rows, and sets made
from each other are not independent: a row of the test is therefore the mean over a family (`family_means`).
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.statistics.correlation import (
    Centring,
    Grid,
    centred,
    correlation,
    covariate_basis,
    residual,
)

EXACT_LIMIT = 5_040
# Cells of a chunk of arrangements: small enough to stay in the cache.
CHUNK_CELLS = 50_000


@dataclass(frozen=True)
class Arrangements:
    """Relabellings of training sets: all of them (`exact`), or the observed one followed by random ones."""

    orders: NDArray[np.intp]
    exact: bool

    @property
    def smallest_p(self) -> float:
        return 1.0 / len(self.orders)


@cache
def arrangements(n_train: int, sampled: int, seed: int) -> Arrangements:
    """All n_train! orders if there are at most 5,040, else the observed order and `sampled` random ones."""
    if math.factorial(n_train) <= EXACT_LIMIT:
        return Arrangements(np.array(list(itertools.permutations(range(n_train))), dtype=np.intp), True)
    rng = np.random.default_rng([seed, n_train])
    drawn = rng.permuted(np.tile(np.arange(n_train), (sampled, 1)), axis=1)
    return Arrangements(np.vstack([np.arange(n_train), drawn]), False)


def family_means(grid: Grid, weights: Grid, families: NDArray[np.intp]) -> tuple[Grid, NDArray[np.float64]]:
    """Means over the sets of each family that have a cell, and a weight of 1 where one has."""
    belongs = (families == np.arange(families.max() + 1)[:, None]).astype(float)
    counts = belongs @ weights
    means = np.divide(belongs @ (weights * grid), counts, out=np.zeros(counts.shape), where=counts > 0)
    return means, (counts > 0).astype(float)


def relabelled_correlations(
    first: Grid,
    second: Grid,
    first_weights: Grid,
    second_weights: Grid,
    centring: Centring,
    orders: NDArray[np.intp],
    covariates: Sequence[Grid] = (),
) -> NDArray[np.float64]:
    """Correlation under every order of the second grid's training sets.

    Missing cells move with their training set. With covariates, only the second grid's residuals on the covariates and
    the effects of the scope are relabelled (Freedman and Lane 1983).
    """
    if covariates:
        second = _unexplained(second, second_weights, covariates, centring)
    if (first_weights > 0).all() and (second_weights > 0).all():
        return _relabelled_complete(first, second, first_weights, centring, orders, covariates)
    step = max(1, CHUNK_CELLS // first.size)
    parts = []
    for start in range(0, len(orders), step):
        chosen = orders[start : start + step]
        weights = first_weights * second_weights[chosen]
        parts.append(correlation(first, second[chosen], weights, centring, covariates))
    return np.concatenate(parts)


def _relabelled_complete(
    first: Grid,
    second: Grid,
    weights: Grid,
    centring: Centring,
    orders: NDArray[np.intp],
    covariates: Sequence[Grid],
) -> NDArray[np.float64]:
    """Without missing cells, a relabelling does not change the effects of a scope.

    Every inner product of a fixed grid with a relabelled one is then a sum of n_train entries of one matrix.
    """
    basis = covariate_basis(covariates, weights, centring)
    x, y = residual(first, weights, centring, basis), centred(second, weights, centring)
    rows = np.arange(len(first))

    def products(fixed: Grid) -> NDArray[np.float64]:
        return (fixed @ y.T)[rows, orders].sum(axis=-1)

    left = (y * y).sum() - sum(products(unit) ** 2 for unit in basis)
    tiny = 1e-12 * (y * y).sum()
    scale = np.sqrt((x * x).sum() * np.maximum(left, tiny))
    return np.where(left > tiny, products(x) / scale, np.nan)


def two_sided_p(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of arrangements (last axis, the observed one first) at least as far from their mean as the observed one.

    The distance is from the mean: pooled over evaluation sets, the relabelled correlations do not centre on zero,
    because differences between evaluation sets add to them. The mean is the same for every arrangement, so the test
    stays exact. The observed arrangement counts, which is the +1 of a sampled test. An undefined arrangement counts
    against us.
    """
    distance = np.abs(values - np.nanmean(values, axis=-1, keepdims=True))
    return (~(distance < distance[..., :1] - 1e-9)).mean(axis=-1)


def _unexplained(grid: Grid, weights: Grid, covariates: Sequence[Grid], centring: Centring) -> Grid:
    """Residuals of one grid on covariates and the effects of the scope, over all its cells."""
    n_train, n_eval = grid.shape
    rows = np.repeat(np.eye(n_train), n_eval, axis=0)
    columns = np.tile(np.eye(n_eval), (n_train, 1))
    effects = {"pooled": [], "within_eval": [columns], "double_centred": [columns, rows]}[centring]
    design = np.column_stack([np.ones(grid.size), *effects, *(covariate.ravel() for covariate in covariates)])
    present = weights.ravel() > 0
    # Columns differ in scale by orders of magnitude (tokens and shares), so they are scaled for the cut-off of lstsq.
    design = design / np.maximum(np.linalg.norm(design[present], axis=0), np.finfo(float).tiny)
    fit = np.linalg.lstsq(design[present], grid.ravel()[present], rcond=1e-10)[0]
    return np.where(present, grid.ravel() - design @ fit, 0.0).reshape(grid.shape)

"""Weighted correlation of two grids (training sets x evaluation sets), after removing main effects of a scope.

Every function takes arrays of shape (..., S, E): S training sets, E evaluation sets, and any number of
leading axes (permutations, resamples, simulations), so the analysis, the tests and the benchmark share one vectorised
path. A weight of 0 marks a missing cell; a resample is a grid of integer weights.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Grid = NDArray[np.float64]
Centring = Literal["pooled", "within_eval", "double_centred"]
CENTRINGS: tuple[Centring, ...] = get_args(Centring)

# A centred grid whose norm is below this share of the uncentred one is rounding error, not variation.
CONSTANT = 1e-9


def centred(values: Grid, weights: Grid, centring: Centring) -> Grid:
    """`values` minus the weighted least-squares fit of the effects that `centring` removes.

    pooled: the grand mean; within_eval: a mean per evaluation set; double_centred: a mean per training set
    and per evaluation set.
    """
    if centring == "pooled":
        return values - _mean(values, weights, "...se,...se->...")[..., None, None]
    column_means = _mean(values, weights, "...se,...se->...e")[..., None, :]
    if centring == "within_eval":
        return values - column_means
    row_weights, column_weights = weights.sum(axis=-1), weights.sum(axis=-2)
    total = row_weights.sum(axis=-1)[..., None, None]
    if np.allclose(weights * total, row_weights[..., None] * column_weights[..., None, :]):
        # If weights are products of set weights, the two effects are orthogonal, so means suffice.
        row_means = _mean(values, weights, "...se,...se->...s")[..., None]
        return values - row_means - column_means + _mean(values, weights, "...se,...se->...")[..., None, None]
    # Missing cells: eliminate the evaluation sets from the normal equations, solve for the training sets. The
    # matrix is a graph Laplacian, singular by one constant per connected part, so it needs the pseudo-inverse.
    shares = _ratio(weights, column_weights[..., None, :])
    laplacian = np.eye(values.shape[-2]) * row_weights[..., None] - shares @ np.swapaxes(weights, -1, -2)
    right = (weights * (values - column_means)).sum(axis=-1)[..., None]
    row_effects = np.linalg.pinv(laplacian, rcond=1e-10, hermitian=True) @ right
    rest = values - row_effects
    return rest - _mean(rest, weights, "...se,...se->...e")[..., None, :]


def correlation(
    first: Grid, second: Grid, weights: Grid, centring: Centring, covariates: Sequence[Grid] = ()
) -> NDArray[np.float64]:
    """Pearson (or, given covariates, partial) correlation of two grids after centring; NaN where undefined.

    Covariates are centred the same way and projected out of both sides (Frisch, Waugh and Lovell).
    """
    basis = covariate_basis(covariates, weights, centring)
    x = _projected(centred(first, weights, centring), basis, weights)
    y = _projected(centred(second, weights, centring), basis, weights)
    x_norm, y_norm = _norm(x, weights), _norm(y, weights)
    constant = (x_norm <= CONSTANT * _norm(first, weights)) | (y_norm <= CONSTANT * _norm(second, weights))
    product = np.einsum("...se,...se,...se->...", weights, x, y)
    return np.where(constant, np.nan, np.clip(_ratio(product, x_norm * y_norm), -1.0, 1.0))


def covariate_basis(covariates: Sequence[Grid], weights: Grid, centring: Centring) -> list[Grid]:
    """Covariates after centring, orthonormal under the weights (Gram and Schmidt); zero if nothing is left."""
    basis: list[Grid] = []
    for covariate in covariates:
        column = _projected(centred(covariate, weights, centring), basis, weights)
        norm = _norm(column, weights)
        constant = norm <= CONSTANT * _norm(covariate, weights)
        basis.append(np.where(constant[..., None, None], 0.0, _ratio(column, norm[..., None, None])))
    return basis


def residual(values: Grid, weights: Grid, centring: Centring, basis: Sequence[Grid]) -> Grid:
    """Residuals of `values` on the effects of the scope and the covariates."""
    return _projected(centred(values, weights, centring), basis, weights)


def ranks(values: Grid, weights: Grid, centring: Centring) -> Grid:
    """Ranks of the centred values over existing cells: their pooled Pearson correlation is Spearman's.

    Rounding to ten digits first keeps ties that centring broke by rounding error.
    """
    scale = _norm(values, weights)[..., None, None]
    rounded = np.round(_ratio(centred(values, weights, centring), scale), 10)
    present = np.where(weights > 0, rounded, np.nan)
    flat = present.reshape(*present.shape[:-2], -1)
    return np.nan_to_num(rankdata(flat, axis=-1, nan_policy="omit")).reshape(values.shape)


def variance_between_eval(values: Grid, weights: Grid) -> NDArray[np.float64]:
    """Share of the variance of `values` between evaluation sets: 1 - within / total."""
    within = _norm(centred(values, weights, "within_eval"), weights)
    total = _norm(centred(values, weights, "pooled"), weights)
    constant = total <= CONSTANT * _norm(values, weights)
    return np.where(constant, np.nan, 1.0 - _ratio(within, total) ** 2)


def _projected(values: Grid, basis: Sequence[Grid], weights: Grid) -> Grid:
    for unit in basis:
        share = np.einsum("...se,...se,...se->...", weights, unit, values)
        values = values - unit * share[..., None, None]
    return values


def _norm(values: Grid, weights: Grid) -> NDArray[np.float64]:
    return np.sqrt(np.einsum("...se,...se,...se->...", weights, values, values))


def _mean(values: Grid, weights: Grid, over: str) -> NDArray[np.float64]:
    """Weighted mean over the axes that the einsum subscripts `over` sum."""
    return _ratio(np.einsum(over, weights, values), np.einsum(over, weights, np.ones(values.shape[-2:])))


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """numerator / denominator, or 0 where the denominator is 0 (no values to average)."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    return np.divide(numerator, denominator, out=np.zeros(shape), where=denominator != 0)

"""Weighted correlation of two grids (training sets x evaluation sets), main effects of a scope removed.

Every function takes arrays of shape (..., S, E): S training sets, E evaluation sets, and any number of
leading axes (permutations, resamples, simulations), so that one vectorised path serves the analysis, the
tests and the benchmark. A weight of 0 marks a missing cell; a resample is a grid of integer weights.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Grid = NDArray[np.float64]
Centring = Literal["pooled", "within_eval", "double_centred"]
CENTRINGS: tuple[Centring, ...] = get_args(Centring)

# A centred grid whose sum of squares is below this share of the uncentred one is rounding error, not
# variation.
CONSTANT = 1e-18


def centred(values: Grid, weights: Grid, centring: Centring) -> Grid:
    """`values` less the weighted least-squares fit of the effects that `centring` removes.

    pooled: the grand mean; within_eval: a mean per evaluation set; double_centred: a mean per training set
    and per evaluation set.
    """
    total = weights.sum(axis=(-2, -1), keepdims=True)
    if centring == "pooled":
        return values - _ratio((weights * values).sum(axis=(-2, -1), keepdims=True), total)
    column_weights = weights.sum(axis=-2, keepdims=True)
    column_means = _ratio((weights * values).sum(axis=-2, keepdims=True), column_weights)
    if centring == "within_eval":
        return values - column_means
    row_weights = weights.sum(axis=-1, keepdims=True)
    if np.allclose(weights * total, row_weights * column_weights):
        # Weights that are a product of set weights make the two effects orthogonal: means suffice.
        row_means = _ratio((weights * values).sum(axis=-1, keepdims=True), row_weights)
        grand_mean = _ratio((weights * values).sum(axis=(-2, -1), keepdims=True), total)
        return values - row_means - column_means + grand_mean
    # Missing cells: eliminate the evaluation sets from the normal equations, solve for the training sets.
    # The matrix is a graph Laplacian, singular by one constant per connected part, hence the
    # pseudo-inverse.
    shares = _ratio(weights, column_weights)
    laplacian = np.eye(values.shape[-2]) * row_weights - shares @ np.swapaxes(weights, -1, -2)
    right = (weights * (values - column_means)).sum(axis=-1)[..., None]
    row_effects = np.linalg.pinv(laplacian, rcond=1e-10, hermitian=True) @ right
    column_effects = _ratio((weights * (values - row_effects)).sum(axis=-2, keepdims=True), column_weights)
    return values - row_effects - column_effects


def correlation(
    first: Grid, second: Grid, weights: Grid, centring: Centring, covariates: Sequence[Grid] = ()
) -> NDArray[np.float64]:
    """Pearson (or, given covariates, partial) correlation of two grids after centring; NaN where undefined.

    Frisch, Waugh and Lovell: covariates are centred the same way and projected out of both sides.
    """
    basis: list[Grid] = []
    for covariate in covariates:
        column = _projected(centred(covariate, weights, centring), basis, weights)
        norm = _norm(column, weights)
        constant = norm <= np.sqrt(CONSTANT) * _norm(covariate, weights)
        basis.append(np.where(constant, 0.0, _ratio(column, norm)))
    x = _projected(centred(first, weights, centring), basis, weights)
    y = _projected(centred(second, weights, centring), basis, weights)
    x_norm, y_norm = _norm(x, weights), _norm(y, weights)
    undefined = (x_norm <= np.sqrt(CONSTANT) * _norm(first, weights)) | (
        y_norm <= np.sqrt(CONSTANT) * _norm(second, weights)
    )
    product = (weights * x * y).sum(axis=(-2, -1), keepdims=True)
    r = np.where(undefined, np.nan, _ratio(product, x_norm * y_norm))
    return np.clip(r[..., 0, 0], -1.0, 1.0)


def ranks(values: Grid, weights: Grid, centring: Centring) -> Grid:
    """Ranks of the centred values over the cells that exist: their pooled Pearson correlation is Spearman's.

    Rounding to ten digits first keeps ties that centring broke by rounding error.
    """
    residual = centred(values, weights, centring)
    scale = _norm(values, weights)
    rounded = np.round(_ratio(residual, scale), 10)
    present = np.where(weights > 0, rounded, np.nan)
    flat = present.reshape(*present.shape[:-2], -1)
    return np.nan_to_num(rankdata(flat, axis=-1, nan_policy="omit")).reshape(values.shape)


def variance_between_eval(values: Grid, weights: Grid) -> NDArray[np.float64]:
    """Share of the variance of `values` that lies between evaluation sets: 1 - within / total."""
    within = _norm(centred(values, weights, "within_eval"), weights) ** 2
    total = _norm(centred(values, weights, "pooled"), weights) ** 2
    constant = total <= CONSTANT * _norm(values, weights) ** 2
    return np.where(constant, np.nan, 1.0 - _ratio(within, total))[..., 0, 0]


def _projected(values: Grid, basis: Sequence[Grid], weights: Grid) -> Grid:
    for unit in basis:
        values = values - unit * (weights * unit * values).sum(axis=(-2, -1), keepdims=True)
    return values


def _norm(values: Grid, weights: Grid) -> Grid:
    return np.sqrt((weights * values * values).sum(axis=(-2, -1), keepdims=True))


def _ratio(numerator: Grid, denominator: Grid) -> Grid:
    """numerator / denominator, and 0 where the denominator is 0 (nothing there to average)."""
    return np.divide(
        numerator,
        denominator,
        out=np.zeros(np.broadcast_shapes(numerator.shape, denominator.shape)),
        where=denominator != 0,
    )

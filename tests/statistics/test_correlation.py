"""Correlation after centring, against textbook routes to the same number."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from workflow_scripts.statistics.correlation import (
    CENTRINGS,
    centred,
    correlation,
    ranks,
    variance_between_eval,
)


def grids(seed: int, n_train: int = 5, n_eval: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_train, n_eval)), rng.normal(size=(n_train, n_eval))


def by_regression(
    values: np.ndarray, present: np.ndarray, centring: str, *covariates: np.ndarray
) -> np.ndarray:
    """Residuals of the present cells on dummy variables and covariates, by least squares."""
    rows, columns = np.nonzero(present)
    design = [np.ones(len(rows))]
    if centring != "pooled":
        design += [columns == j for j in range(values.shape[1])]
    if centring == "double_centred":
        design += [rows == i for i in range(values.shape[0])]
    matrix = np.column_stack([*design, *(covariate[present] for covariate in covariates)]).astype(float)
    return values[present] - matrix @ np.linalg.lstsq(matrix, values[present], rcond=None)[0]


@pytest.mark.parametrize("centring", CENTRINGS)
@pytest.mark.parametrize("missing", [0, 3])
def test_agrees_with_regression_on_dummies(centring, missing) -> None:
    x, y = grids(1)
    present = np.ones(x.shape, bool)
    present.ravel()[np.random.default_rng(2).permutation(x.size)[:missing]] = False
    expected = stats.pearsonr(by_regression(x, present, centring), by_regression(y, present, centring))
    found = correlation(x, y, present.astype(float), centring)
    assert found == pytest.approx(expected.statistic)


@pytest.mark.parametrize("centring", CENTRINGS)
def test_partial_agrees_with_regression(centring) -> None:
    x, y = grids(3)
    z, w = grids(4)
    present = np.ones(x.shape, bool)
    present[0, 1] = False
    residuals = [by_regression(grid, present, centring, z, w) for grid in (x, y)]
    found = correlation(x, y, present.astype(float), centring, [z, w])
    assert found == pytest.approx(stats.pearsonr(*residuals).statistic)


@pytest.mark.parametrize("centring", CENTRINGS)
def test_weights_are_repetitions(centring) -> None:
    x, y = grids(5)
    rows, columns = [0, 0, 1, 2, 4], [0, 1, 1, 3]
    weights = np.outer(np.bincount(rows, minlength=5), np.bincount(columns, minlength=4)).astype(float)
    repeated = [grid[np.ix_(rows, columns)] for grid in (x, y)]
    expected = correlation(*repeated, np.ones((5, 4)), centring)
    assert correlation(x, y, weights, centring) == pytest.approx(expected)


@given(seed=st.integers(0, 1000), size=st.floats(-50, 50))
@settings(max_examples=25, deadline=None)
def test_effects_that_a_scope_removes_change_nothing(seed, size) -> None:
    x, y = grids(seed)
    ones = np.ones(x.shape)
    shift = size * np.random.default_rng(seed).normal(size=(1, 4))
    for centring, moved in (("within_eval", x + shift), ("double_centred", x + shift + size * y[:, :1])):
        assert correlation(moved, y, ones, centring) == pytest.approx(
            correlation(x, y, ones, centring), abs=1e-6
        )
        assert (correlation(x, -y, ones, centring)) == pytest.approx(-correlation(x, y, ones, centring))


def test_leading_axes_are_independent_problems() -> None:
    pairs = [grids(seed) for seed in range(3)]
    weights = np.ones((5, 4))
    weights[2, 2] = 0
    together = correlation(*(np.stack(side) for side in zip(*pairs, strict=True)), weights, "double_centred")
    alone = [float(correlation(x, y, weights, "double_centred")) for x, y in pairs]
    assert together == pytest.approx(alone)


def test_disconnected_cells_are_still_centred() -> None:
    weights = np.kron(np.eye(2), np.ones((2, 2)))
    left = centred(grids(6, 4, 4)[0], weights, "double_centred") * weights
    assert left.sum(axis=0) == pytest.approx(np.zeros(4), abs=1e-12)
    assert left.sum(axis=1) == pytest.approx(np.zeros(4), abs=1e-12)


def test_what_does_not_vary_has_no_correlation() -> None:
    x, y = grids(7)
    ones = np.ones(x.shape)
    assert np.isnan(correlation(np.full(x.shape, 1e6), y, ones, "pooled"))
    assert np.isnan(correlation(x, np.tile(y[:1], (5, 1)), ones, "within_eval"))
    assert np.isnan(correlation(x, y, ones, "double_centred", [x]))


def test_ranks_give_spearman() -> None:
    x, y = np.round(grids(8)[0], 0), grids(8)[1]
    ones = np.ones(x.shape)
    found = correlation(ranks(x, ones, "pooled"), ranks(y, ones, "pooled"), ones, "pooled")
    assert found == pytest.approx(stats.spearmanr(x.ravel(), y.ravel()).statistic)
    assert ranks(x + 0.1, ones, "pooled") == pytest.approx(ranks(x, ones, "pooled"))


def test_ranks_pass_over_missing_cells() -> None:
    weights = np.ones((1, 4))
    weights[0, 1] = 0
    assert ranks(np.array([[3.0, -9.0, 1.0, 2.0]]), weights, "pooled")[0, [0, 2, 3]] == pytest.approx(
        [3, 1, 2]
    )


def test_share_of_variance_between_evaluation_sets() -> None:
    ones = np.ones((2, 2))
    assert variance_between_eval(np.array([[0.0, 1.0], [0.0, 1.0]]), ones) == pytest.approx(1)
    assert variance_between_eval(np.array([[0.0, 0.0], [1.0, 1.0]]), ones) == pytest.approx(0)
    assert variance_between_eval(np.array([[0.0, 1.0], [1.0, 2.0]]), ones) == pytest.approx(0.5)
    assert np.isnan(variance_between_eval(ones, ones))

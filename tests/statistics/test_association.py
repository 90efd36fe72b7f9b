"""An association and what is said about it."""

import numpy as np
import pytest
from scipy import stats

from workflow_scripts.statistics.association import Association, Scope, associate


def scope_of(grid: np.ndarray, centring: str = "pooled", cells: np.ndarray | None = None) -> Scope:
    return Scope(centring, centring, np.ones(grid.shape, bool) if cells is None else cells)


def found(x: np.ndarray, y: np.ndarray, centring: str = "pooled", **options) -> Association:
    return associate(
        x, y, scope_of(x, centring, options.pop("cells", None)), permutations=100, seed=0, **options
    )


def test_one_column_is_the_textbook_case() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 7, 1))
    expected = stats.pearsonr(x.ravel(), y.ravel())
    result = found(x, y)
    assert result.value == pytest.approx(expected.statistic)
    assert result.p_naive == pytest.approx(expected.pvalue)
    exact = stats.permutation_test(
        (x.ravel(),),
        lambda moved: stats.pearsonr(moved, y.ravel()).statistic,
        permutation_type="pairings",
        n_resamples=np.inf,
    )
    assert result.p_permutation == pytest.approx(exact.pvalue, abs=0.02)
    assert result.ci_low < result.value < result.ci_high


def test_naive_p_counts_the_effects_removed() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 6, 4))
    result = found(x, y, "within_eval")
    degrees = 24 - 4 - 1
    statistic = abs(result.value) * np.sqrt(degrees / (1 - result.value**2))
    assert result.p_naive == pytest.approx(2 * stats.t.sf(statistic, degrees))


def test_missing_cells_and_lonely_ones_are_left_out() -> None:
    x, y = np.random.default_rng(2).normal(size=(2, 6, 4))
    x[:, 3] = np.nan
    x[2, 3] = 1.0
    y[0, 0] = np.nan
    result = found(x, y, "within_eval")
    assert (result.n_points, result.n_train, result.n_eval) == (17, 6, 3)
    assert np.isnan(result.without_eval[3]) and np.isfinite(result.without_eval[:3]).all()


def test_scope_decides_the_cells() -> None:
    x, y = np.random.default_rng(3).normal(size=(2, 6, 4))
    y[0, 0], x[0, 0] = 1e3, 1e3
    cells = np.ones(x.shape, bool)
    cells[0, 0] = False
    assert found(x, y).value > 0.99 and abs(found(x, y, cells=cells).value) < 0.7


def test_spearman_is_that_of_scipy() -> None:
    x, y = np.random.default_rng(4).normal(size=(2, 6, 3))
    assert found(x, y, rank=True).value == pytest.approx(stats.spearmanr(x.ravel(), y.ravel()).statistic)
    assert found(np.exp(x), y, rank=True).value == pytest.approx(found(x, y, rank=True).value)


@pytest.mark.parametrize(
    ("n_train", "families", "more"), [(3, [0, 1, 2], 3), (9, [0] * 7 + [1, 2], 3), (7, [0] * 7, 5)]
)
def test_below_six_families_nothing_but_r_is_said_and_what_it_would_take(n_train, families, more) -> None:
    x, y = np.random.default_rng(5).normal(size=(2, n_train, 4))
    result = found(x, y, families=np.array(families))
    assert np.isfinite(result.value) and result.n_families == 6 - more
    assert np.isnan([result.ci_low, result.p_permutation, result.p_smallest]).all()
    assert f"add {more} training sets or more" in result.note and "no interval and no p" in result.note


def test_six_families_are_relabelled_and_left_out_as_families() -> None:
    x, y = np.random.default_rng(10).normal(size=(2, 8, 4))
    families = np.array([0, 1, 1, 2, 3, 4, 4, 5])
    result = found(x, y, "within_eval", families=families)
    assert result.p_smallest == pytest.approx(1 / 720)
    kept = families != 1
    assert result.without_family[1] == pytest.approx(found(x[kept], y[kept], "within_eval").value)
    means = [np.array([grid[families == f].mean(axis=0) for f in range(6)]) for grid in (x, y)]
    assert result.p_permutation == pytest.approx(found(*means, "within_eval").p_permutation)


def test_a_null_that_lives_in_what_sets_are_made_from_is_not_rejected() -> None:
    """Four of nine sets are copies of one with a little noise: taken for independent, they make a relation."""
    rng = np.random.default_rng(11)
    families = np.array([0, 0, 0, 0, 1, 2, 3, 4, 5])
    by_sets, by_families = [], []
    for _ in range(200):
        x, y = rng.normal(size=(2, 6, 1))[:, families] + 0.1 * rng.normal(size=(2, 9, 5))
        by_sets.append(found(x, y, "within_eval").p_permutation)
        by_families.append(found(x, y, "within_eval", families=families).p_permutation)
    assert np.mean(np.array(by_sets) <= 0.05) > 0.1
    assert np.mean(np.array(by_families) <= 0.05) < 0.085


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda x, y: (np.full(x.shape, 2.0), y), "alignment is constant"),
        (lambda x, y: (x, np.full(y.shape, 2.0)), "loss is constant"),
        (lambda x, y: (np.full(x.shape, np.nan), y), "too few pairs"),
        (lambda x, y: (x, x), "perfect"),
    ],
)
def test_what_is_null_is_explained(change, note) -> None:
    x, y = change(*np.random.default_rng(6).normal(size=(2, 6, 4)))
    result = found(x, y)
    assert note in result.note and np.isnan(result.ci_low)


def test_covariate_that_explains_everything() -> None:
    rng = np.random.default_rng(7)
    z = rng.normal(size=(7, 5))
    x, y = z + 0.3 * rng.normal(size=z.shape), z + 0.3 * rng.normal(size=z.shape)
    assert found(x, y, "within_eval").p_permutation < 0.01
    given = found(x, y, "within_eval", covariates=[z])
    assert abs(given.value) < 0.5 and given.p_permutation > 0.05
    assert "covariates" in found(x, y, "within_eval", covariates=[x]).note


def test_no_correlation_without_degrees_of_freedom() -> None:
    """Two points, or three given a covariate, always lie on a line."""
    x, y, z = np.random.default_rng(9).normal(size=(3, 3, 1))
    assert np.isfinite(found(x, y, "within_eval").value)
    given = found(x, y, "within_eval", covariates=[z])
    assert np.isnan(given.value) and "too few pairs" in given.note
    square = np.random.default_rng(9).normal(size=(2, 2, 2))
    assert np.isnan(found(*square, "double_centred").value)


def test_pooled_test_asks_for_more_than_the_evaluation_sets_give() -> None:
    """Alignment and loss that share nothing but easy and hard evaluation sets correlate, and mean nothing."""
    rng = np.random.default_rng(8)
    difficulty = 10 * rng.normal(size=(1, 6))
    x, y = rng.normal(size=(2, 6, 6)) + difficulty
    result = found(x, y)
    assert result.value > 0.9 and result.p_naive < 1e-6 and result.p_permutation > 0.05

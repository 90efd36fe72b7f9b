"""Intervals by leaving sets out."""

import numpy as np
import pytest
from scipy.stats import t

from workflow_scripts.statistics.correlation import correlation
from workflow_scripts.statistics.intervals import (
    Interval,
    correlation_interval,
    deleted_correlations,
    difference_interval,
    two_way_jackknife,
)


def test_leaving_out_is_leaving_out() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 5, 4))
    by_train, by_eval = deleted_correlations(x, y, np.ones((5, 4)), "double_centred")
    assert by_train[2] == pytest.approx(
        correlation(np.delete(x, 2, 0), np.delete(y, 2, 0), np.ones((4, 4)), "double_centred")
    )
    assert by_eval[3] == pytest.approx(correlation(x[:, :3], y[:, :3], np.ones((5, 3)), "double_centred"))


def test_a_family_is_left_out_whole() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 5, 4))
    families = np.array([0, 1, 0, 2, 1])
    by_family, _ = deleted_correlations(x, y, np.ones((5, 4)), "within_eval", families=families)
    kept = families != 1
    assert len(by_family) == 3
    assert by_family[1] == pytest.approx(correlation(x[kept], y[kept], np.ones((3, 4)), "within_eval"))


def test_many_families_are_left_out_in_groups_with_the_same_variance() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 3))
    y = 0.6 * x + rng.normal(size=x.shape)
    ones = np.ones(x.shape)
    by_group, by_eval = deleted_correlations(x, y, ones, "within_eval")
    assert by_group.shape == (50,)
    kept = np.arange(400) % 50 != 7
    assert by_group[7] == pytest.approx(correlation(x[kept], y[kept], ones[kept], "within_eval"))
    one_by_one = np.array(
        [correlation(*(np.delete(grid, i, 0) for grid in (x, y, ones)), "within_eval") for i in range(400)]
    )
    errors = [two_way_jackknife(values, np.zeros(0))[0] for values in (by_group, one_by_one)]
    assert errors[0] == pytest.approx(errors[1], rel=0.3)
    assert by_eval.shape == (3,)


def test_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.array([1.0, 4.0, 2.0, 8.0])
    without = (values.sum() - values) / 3
    error, degrees = two_way_jackknife(without, np.zeros(0))
    assert error == pytest.approx(values.std(ddof=1) / 2) and degrees == pytest.approx(3)


def test_variances_of_two_kinds_add_up() -> None:
    first, second = np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0])
    variances = np.array([2 * first.var(), second.var()])
    error, degrees = two_way_jackknife(first, second)
    assert error == pytest.approx(np.sqrt(variances.sum()))
    assert degrees == pytest.approx(variances.sum() ** 2 / (variances[0] ** 2 / 2 + variances[1] ** 2 / 1))


def test_interval_is_symmetric_on_the_scale_of_z() -> None:
    by_train, by_eval = np.array([0.5, 0.6, 0.7, 0.65, 0.55, 0.6]), np.array([0.6, 0.58, 0.62])
    low, high = correlation_interval(np.array(0.6), by_train, by_eval)
    error, degrees = two_way_jackknife(np.arctanh(by_train), np.arctanh(by_eval))
    assert np.arctanh(high) - np.arctanh(0.6) == pytest.approx(t.ppf(0.975, degrees) * error)
    assert np.arctanh(high) - np.arctanh(0.6) == pytest.approx(np.arctanh(0.6) - np.arctanh(low))


def test_a_perfect_correlation_has_no_interval() -> None:
    low, high = correlation_interval(np.array(1.0), np.ones(6), np.ones(3))
    assert np.isnan(low) and np.isnan(high)


def test_difference_of_unrelated_correlations_adds_squares() -> None:
    none = np.full(3, 0.4)
    first = Interval(0.5, 0.3, 0.6, (np.array([0.4, 0.5, 0.4, 0.5]), none))
    second = Interval(0.2, 0.1, 0.4, (np.array([0.2, 0.2, 0.3, 0.3]), none))
    low, high = difference_interval(first, second)
    assert low == pytest.approx(0.3 - np.hypot(0.2, 0.2)) and high == pytest.approx(0.3 + np.hypot(0.1, 0.1))


def test_difference_is_sharper_when_both_move_together() -> None:
    moves = np.array([0.4, 0.5, 0.45, 0.55])
    first, second = (Interval(r, r - 0.2, r + 0.2, (moves, moves[:3])) for r in (0.5, 0.4))
    low, high = difference_interval(first, second)
    assert (low, high) == (pytest.approx(0.1), pytest.approx(0.1))

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from workflow_scripts.metrics.intervals import between_sets, within_set

tables = arrays(
    np.float64, st.tuples(st.integers(4, 9), st.integers(4, 9)), elements=st.floats(-10, 10, width=32)
)


@settings(max_examples=50, deadline=None)
@given(tables)
def test_interval_contains_its_point_and_turns_with_the_table(table):
    estimate, turned = between_sets(table), between_sets(table.T)
    assert estimate.low <= estimate.point <= estimate.high
    assert [turned.point, turned.low, turned.high] == pytest.approx(
        [estimate.point, estimate.low, estimate.high]
    )


def test_source_effects_alone_give_the_t_interval_of_the_row_means():
    effects = np.array([0.1, 0.4, 0.35, 0.8])
    estimate = between_sets(np.tile(effects[:, None], (1, 6)))
    low, high = stats.t.interval(0.95, 3, loc=effects.mean(), scale=stats.sem(effects))
    assert (estimate.low, estimate.high) == pytest.approx((low, high))


def test_both_effects_add_and_degrees_of_freedom_are_welchs():
    rng = np.random.default_rng(0)
    rows, columns = rng.normal(size=5), rng.normal(size=8)
    estimate = between_sets(rows[:, None] + columns[None, :])
    a, b = rows.var(ddof=1) / 5, columns.var(ddof=1) / 8
    degrees = (a + b) ** 2 / (a**2 / 4 + b**2 / 7)
    assert estimate.high - estimate.point == pytest.approx(stats.t.ppf(0.975, degrees) * np.sqrt(a + b))


def test_within_a_set_the_diagonal_does_not_matter():
    table = np.random.default_rng(0).normal(size=(6, 6))
    other = table + np.diag(np.full(6, 1e6))
    assert within_set(table) == within_set(other)
    assert within_set(table).point == pytest.approx(table[~np.eye(6, dtype=bool)].mean())


def test_within_a_set_of_additive_effects_the_jackknife_is_the_t_interval_of_their_mean():
    effects = np.random.default_rng(1).normal(size=7)
    estimate = within_set((effects[:, None] + effects[None, :]) / 2)
    # Leaving one batch out leaves the mean of the others, so the jackknife is exact for a mean.
    assert estimate.high - estimate.low == pytest.approx(2 * stats.t.ppf(0.975, 6) * stats.sem(effects))


def test_tables_without_spread_have_intervals_without_width():
    assert between_sets(np.full((4, 5), 0.3)).low == pytest.approx(0.3)
    assert within_set(np.full((4, 4), 0.3)).high == pytest.approx(0.3)

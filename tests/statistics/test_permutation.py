"""The relabelling of training sets."""

import itertools

import numpy as np
import pytest

from workflow_scripts.statistics.correlation import CENTRINGS, correlation
from workflow_scripts.statistics.permutation import arrangements, relabelled_correlations, two_sided_p


def test_few_sets_are_enumerated_and_many_are_drawn() -> None:
    exact = arrangements(7, 50, 0)
    assert exact.exact and len(exact.orders) == 5040 and (exact.orders[0] == np.arange(7)).all()
    drawn = arrangements(8, 50, 0)
    assert not drawn.exact and len(drawn.orders) == 51 and drawn.smallest_p == pytest.approx(1 / 51)
    assert (drawn.orders[0] == np.arange(8)).all() and (np.sort(drawn.orders, axis=1) == np.arange(8)).all()


@pytest.mark.parametrize("centring", CENTRINGS)
@pytest.mark.parametrize("covaried", [False, True])
def test_complete_grids_take_a_short_way_to_the_same_numbers(centring, covaried) -> None:
    x, y, z = np.random.default_rng(1).normal(size=(3, 5, 4)) + np.arange(4)
    ones = np.ones((5, 4))
    orders = arrangements(5, 0, 0).orders
    covariates = [z] if covaried else []
    short = relabelled_correlations(x, y, ones, ones, centring, orders, covariates)
    # A sixth training set without any cell sends the same problem down the general way.
    pad = [np.vstack([grid, np.zeros((1, 4))]) for grid in (x, y, z, ones)]
    longer = np.column_stack([orders, np.full(len(orders), 5)])
    general = relabelled_correlations(
        *pad[:2], pad[3], pad[3], centring, longer, pad[2:3] if covaried else []
    )
    assert short == pytest.approx(general)
    assert short[0] == pytest.approx(correlation(x, y, ones, centring, covariates))


def test_rows_move_as_one_with_their_missing_cells() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 4, 3))
    held, there = np.ones((4, 3)), np.ones((4, 3))
    held[0, 0] = there[1, 2] = 0
    orders = arrangements(4, 0, 0).orders
    found = relabelled_correlations(x, y, held, there, "within_eval", orders)
    for order, value in zip(itertools.permutations(range(4)), found, strict=True):
        moved = list(order)
        assert value == pytest.approx(correlation(x, y[moved], held * there[moved], "within_eval"))


def test_what_covariates_explain_stays_in_place() -> None:
    rng = np.random.default_rng(4)
    x, y, z = rng.normal(size=(3, 5, 4))
    ones, orders = np.ones((5, 4)), arrangements(5, 0, 0).orders
    plain = relabelled_correlations(x, y, ones, ones, "within_eval", orders, [z])
    shifted = relabelled_correlations(x, y + 20 * z, ones, ones, "within_eval", orders, [z])
    assert shifted == pytest.approx(plain)


def test_p_counts_distances_from_the_mean_and_the_observed_arrangement() -> None:
    assert two_sided_p(np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(1 / 4)
    assert two_sided_p(np.array([0.9, 0.1, 0.5, 0.5])) == pytest.approx(2 / 4)
    # 0.8 is nearest to the mean of these: large, but what the evaluation sets alone would give.
    assert two_sided_p(np.array([0.8, 0.9, 0.7, 0.81])) == pytest.approx(1)
    assert two_sided_p(np.array([1.0, np.nan, 0.0, 0.0])) == pytest.approx(2 / 4)


def test_level_holds_when_training_sets_differ_in_quality() -> None:
    """Relabelling whole sets keeps 5%; permuting within each evaluation set does not."""
    rng = np.random.default_rng(3)
    orders = arrangements(5, 0, 0).orders
    ones = np.ones((5, 8))
    jointly, within = [], []
    for _ in range(300):
        x, y = rng.normal(size=(2, 5, 8)) + 1.2 * rng.normal(size=(2, 5, 1))
        jointly.append(two_sided_p(relabelled_correlations(x, y, ones, ones, "within_eval", orders)))
        shuffled = np.stack([y, *(rng.permuted(y, axis=0) for _ in range(99))])
        within.append(two_sided_p(correlation(x, shuffled, ones, "within_eval")))
    assert np.mean(np.array(jointly) <= 0.05) < 0.085
    assert np.mean(np.array(within) <= 0.05) > 0.12

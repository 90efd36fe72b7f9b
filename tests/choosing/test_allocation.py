"""The optimum against a grid and by its conditions; prices against small changes; limits that cannot be kept."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.choosing.allocation import Planner, certified, mean_log_tokens
from workflow_scripts.choosing.limits import Limits, check_weights, filled
from workflow_scripts.errors import UserError

WORTH = np.array([[1.0, 0.02], [0.05, 0.6], [0.3, 0.3]])
HALVES = np.array([0.5, 0.5])


def limits(sizes=(1e9, 1e9, 1e9), tokens=1_000_000, epochs=1.0, minimums=None):
    names = tuple("abcdefghijklm"[: len(sizes)])
    least = np.zeros(len(sizes)) if minimums is None else np.array(minimums, dtype=float)
    return Limits(names, np.array(sizes, dtype=float), tokens, epochs, least)


def grid(within, steps=100):
    """All feasible shares of three candidates on a grid."""
    shares = np.array(
        [(i, j, steps - i - j) for i, j in product(range(steps + 1), repeat=2) if i + j <= steps]
    )
    shares = shares / steps
    ok = (shares >= within.minimums - 1e-9) & (shares <= within.highest + 1e-9)
    return shares[ok.all(axis=1)]


@pytest.mark.parametrize(
    ("within", "weights"),
    [
        (limits(), HALVES),
        (limits(), np.array([0.9, 0.1])),
        (limits(sizes=(1e5, 1e9, 1e9)), HALVES),
        (limits(sizes=(1e5, 1e5, 2e5), epochs=3.0), HALVES),
        (limits(minimums=(0, 0, 0.4)), HALVES),
        (limits(sizes=(2e5, 1e9, 1e9), minimums=(0, 0.1, 0.3)), np.array([0.7, 0.3])),
    ],
)
def test_nothing_on_a_grid_is_better_and_something_is_nearly_as_good(within, weights):
    found = Planner(within, weights).best(WORTH)
    best = mean_log_tokens(found.shares, WORTH, weights)
    others = np.log(grid(within) @ WORTH) @ weights
    assert others.max() <= best + 1e-9
    assert others.max() == pytest.approx(best, abs=2e-3)
    assert found.shares.sum() == pytest.approx(1)
    assert found.gap < 1e-5


def test_two_candidates_of_two_targets_by_hand():
    # Each is worth something for its own target alone: shares are the weights.
    found = Planner(limits(sizes=(1e9, 1e9)), np.array([0.3, 0.7])).best(np.eye(2))
    assert found.shares == pytest.approx([0.3, 0.7], abs=1e-5)
    assert found.budget_price == 1 and not found.capped.any()


def test_one_target_takes_the_best_candidate_and_then_the_next():
    worth = np.array([[0.1], [1.0], [0.5]])
    plenty = Planner(limits(sizes=(1e6, 1e6, 1e6)), np.ones(1)).best(worth)
    assert plenty.shares == pytest.approx([0, 1, 0])
    short = Planner(limits(sizes=(1e6, 2e5, 3e5), epochs=2.0), np.ones(1)).best(worth)
    assert short.shares == pytest.approx([0, 0.4, 0.6])
    assert short.capped.tolist() == [False, True, True]


@pytest.mark.parametrize("weights", [HALVES, np.array([0.8, 0.2])])
@pytest.mark.parametrize("minimums", [None, (0, 0, 0.3)])
def test_prices_are_what_small_changes_bring(weights, minimums):
    sizes, tokens, epochs = np.array([1e5, 3e5, 1e9]), 1_000_000, 2.0

    def value(sizes, tokens):
        within = limits(sizes, tokens, epochs, minimums)
        shares = Planner(within, weights).best(WORTH).shares
        return mean_log_tokens(shares, WORTH, weights) + np.log(tokens)

    found = Planner(limits(sizes, tokens, epochs, minimums), weights).best(WORTH)
    assert found.capped[0]
    more_budget = (value(sizes, tokens + 10_000) - value(sizes, tokens - 10_000)) / 20_000
    assert found.budget_price / tokens == pytest.approx(more_budget, rel=1e-3)
    for d in range(3):
        step = np.eye(3)[d] * 1_000
        more_text = (value(sizes + step, tokens) - value(sizes - step, tokens)) / 2_000
        assert found.text_prices(epochs)[d] == pytest.approx(more_text / more_budget, rel=5e-3, abs=1e-4)


def test_where_all_text_is_used_a_token_of_the_least_is_free():
    """The budget takes all there is: more text of the worst candidate changes nothing."""
    found = Planner(limits(sizes=(2e5, 3e5, 5e5)), HALVES).best(WORTH)
    assert found.shares == pytest.approx([0.2, 0.3, 0.5])
    assert found.text_prices(1.0).min() == 0 < found.text_prices(1.0).max()


@given(st.integers(0, 10_000))
def test_conditions_of_optimality_hold_for_random_problems(seed):
    rng = np.random.default_rng(seed)
    n, targets = int(rng.integers(2, 12)), int(rng.integers(1, 8))
    worth = np.exp(-rng.exponential(4, (n, targets)))
    weights = rng.dirichlet(np.ones(targets))
    minimums = np.where(rng.random(n) < 0.2, 0.5 * rng.random(n) / n, 0)
    sizes = np.maximum(rng.lognormal(12, 1.5, n), minimums * 1.1e6) + 1e3
    within = limits(sizes * max(1, 1.01e6 / sizes.sum()), minimums=minimums)
    found = Planner(within, weights).best(worth)
    gradient = worth @ (weights / (found.shares @ worth))
    level = found.budget_price + found.cap_prices[found.capped] @ within.highest[found.capped]
    assert level == pytest.approx(1) and found.gap < 1e-4
    assert (found.cap_prices >= 0).all() and (found.cap_prices[~found.capped] == 0).all()
    inside = (found.shares > minimums + 1e-4) & ~found.capped
    if inside.any():
        marginal = gradient[inside].mean()
        assert gradient[inside] == pytest.approx(marginal, abs=1e-2)
        assert (gradient[~found.capped] <= marginal + 1e-2).all()


def test_worths_of_any_size_are_solved():
    worth = np.array([[1.0, 1e-30], [1e-25, 1e-30], [1e-12, 1e-28]])
    found = Planner(limits(), HALVES).best(worth)
    assert found.shares == pytest.approx([0.5, 0, 0.5], abs=0.02)
    assert found.gap < 1e-4


def test_the_certificate_refuses_what_is_not_optimal():
    with pytest.raises(RuntimeError, match="short of the optimum"):
        certified(np.array([0.2, 0.2, 0.6]), WORTH, limits(), HALVES)


def test_solving_again_equals_solving_afresh():
    rng = np.random.default_rng(0)
    planner = Planner(limits(sizes=(3e5, 1e9, 1e9)), HALVES)
    for _ in range(5):
        worth = WORTH * np.exp(rng.normal(size=WORTH.shape))
        fresh = Planner(limits(sizes=(3e5, 1e9, 1e9)), HALVES).best(worth)
        assert planner.best(worth).shares == pytest.approx(fresh.shares, abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"sizes": (1e5, 1e5, 1e5), "epochs": 4.0, "tokens": 2_000_000},
            "at most 1,200,000 tokens at 4 epochs",
        ),
        ({"minimums": (0.5, 0.6, 0)}, "minimum shares sum to 1.1"),
        ({"sizes": (1e4, 1e9, 1e9), "epochs": 2.0, "minimums": (0.5, 0, 0)}, "a has at most 20,000 tokens"),
        ({"sizes": (0, 1e9, 1e9)}, "candidate a has no tokens"),
        ({"minimums": (-0.1, 0, 0)}, "minimum share of a is -0.1"),
        ({"sizes": (1e9,)}, "a is the only candidate"),
        ({"tokens": 0}, "must be above 0"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused(changes, says):
    with pytest.raises(UserError, match=says):
        limits(**changes)


@pytest.mark.parametrize(
    ("weights", "says"), [([1], "2 targets and 1 weights"), ([1, 0], "weight of the target t is 0")]
)
def test_weights_are_checked(weights, says):
    with pytest.raises(UserError, match=says):
        check_weights(["s", "t"], weights)


def test_alternatives_are_cut_at_their_limits_and_the_rest_shared():
    assert filled(np.ones(3), limits()) == pytest.approx([1 / 3] * 3)
    assert filled(np.ones(3), limits(sizes=(1e5, 1e9, 1e9))) == pytest.approx([0.1, 0.45, 0.45])
    assert filled(np.array([1, 2, 6]), limits(minimums=(0.5, 0, 0))) == pytest.approx([0.5, 0.125, 0.375])
    assert filled(np.array([0, 1, 0]), limits()) == pytest.approx([0, 1, 0])
    assert filled(np.array([0, 1, 0]), limits(minimums=(0.2, 0, 0))) == pytest.approx([0.2, 0.8, 0])
    scarce = limits(sizes=(1e9, 3e5, 1e5))
    assert filled(np.array([0, 1, 0]), scarce) == pytest.approx([0.6, 0.3, 0.1])


@given(st.integers(0, 10_000))
def test_alternatives_keep_to_the_limits(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.lognormal(12, 1.5, 5)
    within = limits(sizes * max(1, 1.2e6 / sizes.sum()), minimums=(0, 0, 0.0, 0, 0))
    for preference in (np.ones(5), sizes, np.eye(5)[2]):
        shares = filled(preference, within)
        assert shares.sum() == pytest.approx(1)
        assert (shares <= within.highest + 1e-9).all() and (shares >= 0).all()


def test_whole_tokens_sum_to_the_budget_and_keep_to_the_limits():
    within = limits(sizes=(333_333, 1e9, 1e9), tokens=1_000_000)
    tokens = within.whole_tokens(np.array([0.333333, 0.3333335, 0.3333335]))
    assert tokens.sum() == 1_000_000 and tokens[0] == 333_333

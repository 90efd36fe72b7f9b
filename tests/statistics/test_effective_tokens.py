"""Effective tokens: the kernels by hand, what tau is chosen by, weighted rank correlation."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from workflow_scripts.statistics.effective_tokens import (
    Gaps,
    Runs,
    choose_tau,
    effective_tokens,
    extrapolated_tau,
    flat_worth,
    mean_spearman,
    own_share_score,
    ranks,
    score,
    weighted_spearman,
)

GAPS = Gaps(np.array([[0.0], [0.4], [0.1]]), np.array([[0.0], [0.04], [0.02]]))


def runs(n=60, seed=0, worth=(1.0, 0.02, 0.4), tokens=1e6):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(3, 0.5), n)
    losses = 3 - 0.3 * np.log(shares @ np.array(worth))[:, None]
    names = tuple(f"m{i}" for i in range(n))
    return Runs(names, ("x", "y", "z"), ("x",), shares, np.full(n, tokens), losses)


def test_kernels_by_hand():
    assert GAPS.worth("exponential", 0.1)[:, 0] == pytest.approx([1, np.exp(-4), np.exp(-1)])
    assert GAPS.worth("root", 0.1)[:, 0] == pytest.approx([1, np.exp(-2), np.exp(-1)])
    low, high = GAPS.worth_interval("exponential", 0.1, z=2)
    assert low[1, 0] == pytest.approx(np.exp(-4.8))
    assert high[1, 0] == pytest.approx(np.exp(-3.2))
    assert GAPS.median == pytest.approx(0.25)  # the own part is no gap


def test_a_part_that_is_more_aligned_than_the_own_one_is_worth_more():
    closer = Gaps(np.array([[-0.1], [0.0]]), np.zeros((2, 1)))
    assert closer.worth("root", 0.1)[0, 0] == pytest.approx(np.e)


def test_effective_tokens_by_hand():
    one = runs(3)
    expected = 1e6 * (one.shares[:, 0] + 0.02 * one.shares[:, 1] + 0.4 * one.shares[:, 2])
    assert effective_tokens(one, np.array([[1.0], [0.02], [0.4]]))[:, 0] == pytest.approx(expected)


def test_twice_the_tokens_count_twice():
    assert score(runs(tokens=2e6), GAPS.worth("root", 0.1)) - score(
        runs(), GAPS.worth("root", 0.1)
    ) == pytest.approx(np.log(2))


def test_tau_is_the_one_that_ranks_best():
    tau = choose_tau(runs(worth=(1, np.exp(-4), np.exp(-1))), GAPS, "exponential", (0.1, 0.4, 1.6))
    assert tau == pytest.approx(0.4 * GAPS.median)
    assert choose_tau(runs(worth=(1, 0.8, 0.9)), GAPS, "exponential") > tau


def test_a_flat_worth_keeps_the_own_part():
    assert flat_worth(runs(), 0.1)[:, 0].tolist() == [1, 0.1, 0.1]


def test_where_no_share_is_of_any_worth_the_score_is_a_number():
    one = runs(4)
    assert np.isfinite(score(one, np.zeros((3, 1)))).all()
    assert mean_spearman(score(one, np.zeros((3, 1))), one.losses) == 0
    nothing = Runs(one.train_sets, one.parts, one.targets, np.eye(3)[[1, 1, 2, 2]], one.tokens, one.losses)
    assert np.isfinite(own_share_score(nothing)).all()


def test_tau_on_a_line_in_logarithms():
    assert extrapolated_tau([1e6, 1e8], [0.4, 0.1], 1e10) == pytest.approx(0.025)


def test_rank_correlation_is_scipys_and_counts_by_weight():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 2)), rng.normal(size=(30, 2)).round(1)
    found = weighted_spearman(ranks(x), ranks(y), np.ones((1, 30)))[0]
    assert found == pytest.approx([spearmanr(x[:, j], y[:, j])[0] for j in range(2)])
    twice = np.r_[np.arange(30), np.arange(10)]
    weights = np.bincount(twice, minlength=30)[None].astype(float)
    by_hand = np.corrcoef(ranks(x)[twice, 0], ranks(y)[twice, 0])[0, 1]
    assert weighted_spearman(ranks(x), ranks(y), weights)[0, 0] == pytest.approx(by_hand)


def test_less_loss_is_better():
    one = runs(worth=(1, np.exp(-4), np.exp(-1)))
    assert mean_spearman(score(one, GAPS.worth("exponential", 0.1)), one.losses) == pytest.approx(1)

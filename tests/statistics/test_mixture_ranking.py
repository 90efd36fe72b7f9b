"""Rank correlations of predictions: by hand, in every view, and what their intervals cover."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from workflow_scripts.statistics.effective_tokens import Runs
from workflow_scripts.statistics.mixture_ranking import (
    Prediction,
    difference_rows,
    ranking_rows,
    regret,
    resample_weights,
    skill,
    views,
)


def runs_and_scores(n, seed, strength=1.0, n_targets=3):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(4, 0.5), n)
    truth = rng.normal(size=(n, n_targets))
    losses = -truth + rng.normal(size=(n, n_targets))
    runs = Runs(
        tuple(map(str, range(n))), tuple("abcd"), tuple("abc")[:n_targets], shares, np.ones(n), losses
    )
    return runs, strength * truth + rng.normal(size=(n, n_targets))


def rows_of(prediction, runs, view, weights):
    return {
        row["eval_set"]: row
        for row in ranking_rows(prediction, runs, view, skill(prediction, runs.losses, view, weights))
    }


def test_the_value_is_scipys_for_each_target_their_mean_and_all_at_once():
    runs, scores = runs_and_scores(40, 0)
    rows = rows_of(Prediction("m", "p", scores[None]), runs, views(runs)[0], resample_weights(40, 50, 0))
    by_hand = [spearmanr(scores[:, j], -runs.losses[:, j])[0] for j in range(3)]
    assert [rows[name]["spearman"] for name in "abc"] == pytest.approx(by_hand)
    assert rows["mean"]["spearman"] == pytest.approx(np.mean(by_hand))
    whole = spearmanr(scores.mean(axis=1), -runs.losses.mean(axis=1))[0]
    assert rows["all"]["spearman"] == pytest.approx(whole)


@pytest.mark.parametrize("sign", [-1, 1])
def test_no_end_of_an_interval_is_beyond_one(sign):
    """Nearly perfect, or perfectly wrong, on two targets and at random on the third: symmetric ends lie beyond."""
    runs, _ = runs_and_scores(8, 3)
    scores = -sign * runs.losses
    scores[:, 2] = np.random.default_rng(0).normal(size=8)
    row = rows_of(Prediction("m", "p", scores[None]), runs, views(runs)[0], resample_weights(8, 200, 0))[
        "mean"
    ]
    ends = row["ci_low"], row["ci_high"]
    assert -1 <= ends[0] < row["spearman"] < ends[1] <= 1
    assert sign * 1.0 in ends


def test_draws_are_averaged_and_widen_the_interval():
    runs, scores = runs_and_scores(40, 1)
    rng = np.random.default_rng(0)
    several = scores[None] + rng.normal(size=(4, 40, 3))
    weights, view = resample_weights(40, 200, 0), views(runs)[0]
    row = rows_of(Prediction("m", "p", several), runs, view, weights)["mean"]
    single = [
        rows_of(Prediction("m", "p", draw[None]), runs, view, weights)["mean"]["spearman"] for draw in several
    ]
    assert row["spearman"] == pytest.approx(np.mean(single))
    assert row["draw_sd"] == pytest.approx(np.std(single, ddof=1))


def test_given_the_own_share_a_score_that_is_the_own_share_says_nothing():
    runs, _ = runs_and_scores(200, 2)
    view = next(view for view in views(runs) if view.name == "given_own_share")
    own = Prediction("own_share", "baseline", runs.own_shares[None])
    assert rows_of(own, runs, view, resample_weights(200, 50, 0))["mean"]["spearman"] == 0
    assert "all" not in rows_of(own, runs, view, resample_weights(200, 50, 0))


def test_regret_of_ties_is_a_blind_draw():
    losses = np.array([1.0, 2.0, 4.0])
    assert regret(np.array([[0.0, 1.0, 0.0]]), losses) == 1
    assert regret(np.array([[0.0, 1.0, 1.0]]), losses) == 2
    assert regret(np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]), losses) == 0.5


@pytest.mark.parametrize("eval_set", ["a", "all"])
def test_intervals_cover_the_rank_correlation_of_many_mixtures(eval_set):
    true = rows_of(*_made(20_000, 99), resample_weights(20_000, 2, 0))[eval_set]["spearman"]
    weights = resample_weights(64, 300, 0)
    rows = [rows_of(*_made(64, seed), weights)[eval_set] for seed in range(120)]
    assert np.mean([row["ci_low"] <= true <= row["ci_high"] for row in rows]) >= 0.9


def test_paired_differences_find_no_difference_where_there_is_none():
    covered = []
    for seed in range(120):
        runs, scores = runs_and_scores(64, seed)
        rng = np.random.default_rng(1000 + seed)
        pair = [Prediction(name, "p", (scores + rng.normal(size=scores.shape))[None]) for name in ("m", "o")]
        view, weights = views(runs)[0], resample_weights(64, 200, 0)
        found = [(one, skill(one, runs.losses, view, weights)) for one in pair]
        row = next(row for row in difference_rows(*found, view) if row["eval_set"] == "all")
        covered.append(row["ci_low"] <= 0 <= row["ci_high"])
    assert np.mean(covered) >= 0.9


def _made(n, seed):
    runs, scores = runs_and_scores(n, seed)
    return Prediction("m", "p", scores[None]), runs, views(runs)[0]

"""Choices among given mixtures: regret and rank by hand, ties to nothing, the recorded RegMix tables."""

import numpy as np
import pytest

from benchmarks.mixing import OURS, blind_to_targets, distance
from benchmarks.mixture_choices import (
    ALL,
    ANY,
    FEWEST,
    ONE,
    SUBSETS,
    WITHOUT_OWN,
    lines,
    outcomes,
    target_sets,
)
from benchmarks.regmix import read_regmix
from workflow_scripts.statistics.effective_tokens import score


def test_regret_and_rank_by_hand():
    losses = np.array([[1.0, 4.0], [2.0, 1.0], [3.0, 2.0]])
    sets = {one.name: one for one in target_sets(np.ones((3, 2)), 5, (2, 2), 0)}
    assert set(sets) == {ALL, ONE, SUBSETS}
    rules = {
        OURS: -losses[None],
        "worst": losses[None],
        "first": np.array([[[1.0] * 2, [0.0] * 2, [0.0] * 2]]),
    }
    found = outcomes(rules, losses, sets[ONE], 20, 0)
    assert found[OURS].mean.tolist() == [0, 1]
    assert found["worst"].mean.tolist() == [(2 + 3) / 2, 3]
    assert found["first"].mean.tolist() == [(0 + 3) / 2, 2]
    assert found[ANY].mean == pytest.approx([(1 + 4 / 3) / 2, 2])
    together = outcomes(rules, losses, sets[ALL], 20, 0)
    assert together["first"].mean.tolist() == [1, 2.5 // 1]  # means 2.5, 1.5, 2.5: only one is better
    assert (found[OURS].resampled[:, 0] == 0).all()


def test_draws_of_a_rule_are_averaged_and_their_variance_widens_the_interval():
    rng = np.random.default_rng(0)
    losses = rng.normal(size=(40, 3))
    one = target_sets(np.ones((40, 3)), 5, (2, 2), 0)[1]
    rules = {OURS: -losses[None], "noisy": -losses[None] + rng.normal(size=(6, 40, 3))}
    found = outcomes(rules, losses, one, 50, 0)
    assert found["noisy"].by_draw.shape == (6, 2) and found["noisy"].draw_variance[0] > 0
    ours, noisy, blind = lines(found, OURS, one)
    low, high = noisy["regret_above_ours"][1:]
    assert low < noisy["regret_above_ours"][0] < high
    assert "regret_above_ours" not in ours and blind["rule"] == ANY


def test_without_own_shares_only_mixtures_of_other_parts_are_chosen():
    own = np.repeat([[0.0, 0.3], [0.4, 0.0]], FEWEST, axis=0)
    losses = np.arange(2.0 * FEWEST)[:, None] * [1.0, -1.0]
    sets = {one.name: one for one in target_sets(own, 3, (2, 2), 0)}
    assert set(sets) == {ALL, ONE, SUBSETS, ONE + WITHOUT_OWN}  # no mixture is without both
    found = outcomes({OURS: losses[None]}, losses, sets[ONE + WITHOUT_OWN], 10, 0)
    assert found[OURS].mean.tolist() == [FEWEST - 1, FEWEST]  # the worst of those allowed


def test_the_recorded_runs_are_read_and_chosen_from():
    regmix = read_regmix()
    assert (
        regmix.natural.sum() == pytest.approx(1)
        and regmix.natural.max() == regmix.natural[regmix.parts.index("pile_cc")]
    )
    for name, mixtures, most in (("regmix_60m", 256, 0.04), ("regmix_1b", 64, 0.01)):
        runs = regmix.runs[name]
        means = runs.losses.mean(axis=1)
        ours = means[np.argmax(score(runs, regmix.worth).mean(axis=1))] - means.min()
        blind = [means[np.argmax(values)] - means.min() for values in blind_to_targets(regmix, runs).values()]
        assert len(means) == mixtures and ours < most < min(blind)
    assert distance(np.array([[1.0, 0.0]]), np.array([0.25, 0.75])).tolist() == [0.75]

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.choosing.ranking import rank, what_would_settle
from workflow_scripts.choosing.verification import TRANSFER, ShortRuns, read_short_runs, updated
from workflow_scripts.choosing.worth import Constants
from workflow_scripts.errors import UserError


def losses(curves, experiment="verify", target="goal"):
    """Two seeds, .02 apart, of each curve of losses over budgets of 1,000 and e x 1,000 tokens."""
    return pd.DataFrame(
        [
            {
                "experiment": experiment,
                "train_set": name,
                "eval_set": target,
                "part": "whole",
                "tokens": tokens,
                "seed": seed,
                "loss": loss + (0.01 if seed else -0.01),
            }
            for name, curve in curves.items()
            for tokens, loss in zip((1000, 2718.281828), curve, strict=True)
            for seed in (0, 1)
        ]
    )


def runs(log_worth, errors=0.0):
    names = tuple("abc"[: len(log_worth)])
    values = np.array(log_worth, dtype=float)
    return ShortRuns(names, values, np.full(len(values), errors), -values, np.zeros(len(values)))


def test_differences_of_loss_are_worths_by_the_slope_of_the_best():
    found = read_short_runs(losses({"a": (5.0, 4.5), "b": (5.4, 5.0)}), "verify", "goal")
    assert found.candidates == ("a", "b")
    assert found.log_worth == pytest.approx([0.0, -1.0])  # .5 nats at a slope of .5
    assert found.errors == pytest.approx([0.02, 0.02])  # .01 nats
    assert found.losses == pytest.approx([4.5, 5.0])


@pytest.mark.parametrize(
    ("curves", "says"),
    [
        ({"a": (5.0, 4.5)}, "has 1 training sets and 2 budgets"),
        ({"a": (4.5, 4.6), "b": (5.4, 5.0)}, "more tokens did not lower the loss on goal"),
    ],
)
def test_runs_that_say_nothing_are_refused(curves, says):
    with pytest.raises(UserError, match=says):
        read_short_runs(losses(curves), "verify", "goal")


def test_the_update_is_that_of_normal_distributions():
    """One difference d of two candidates with variance v, measured as m with variance r: mean and variance by hand."""
    draws = np.random.default_rng(0).normal(size=(200_000, 2)) * [0.8, 0.6] + [0.0, -2.0]
    moved = updated(draws, ["a", "b"], runs([0.0, -0.5], errors=0.2), 0)
    v, r = 0.8**2 + 0.6**2, 2 * (0.2**2 + TRANSFER**2)
    gain = v / (v + r)
    difference = moved[:, 1] - moved[:, 0]
    assert difference.mean() == pytest.approx(-2.0 + gain * 1.5, abs=0.01)
    assert difference.var() == pytest.approx(v * r / (v + r), rel=0.02)


def test_a_candidate_without_runs_stays_where_it_was():
    draws = np.random.default_rng(0).normal(size=(100_000, 3))
    moved = updated(draws, ["a", "b", "c"], runs([0.0, -1.0]), 0)
    assert moved[:, 2].mean() == pytest.approx(0.0, abs=0.01)
    assert moved[:, 2].std() == pytest.approx(1.0, rel=0.01)


def test_runs_turn_a_ranking_over_and_settle_it():
    alignments = {"a": (-8.0, 0.0), "b": (-8.1, 0.0)}
    tokens, constants = dict.fromkeys(alignments, 1e6), Constants(0.1, 0.0, 1.0)
    before = rank(alignments, tokens, constants, 5000, 0)
    assert before.table["candidate"][0] == "a" and what_would_settle(before)
    after = rank(alignments, tokens, constants, 5000, 0, runs([-2.5, 0.0]))
    assert after.table["candidate"][0] == "b" and what_would_settle(after) == ""
    equal = rank(alignments, tokens, constants, 5000, 0, runs([0.0, 0.0]))
    assert what_would_settle(equal, ("a", "b")) == "Longer training runs on a and b would settle it."

"""Tables of a proposal: shares, gains, intervals, decimals; draws of worths."""

import time
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.choosing.gains import (
    UncertainSlope,
    alternatives,
    decimal_shares,
    gain_table,
    mix_table,
    mixture_entry,
    propose,
)
from workflow_scripts.choosing.limits import Limits
from workflow_scripts.choosing.worth import Constants, Worths, worths_of
from workflow_scripts.errors import UserError

HALVES = np.array([0.5, 0.5])
KNOWN = Constants(0.1, 0.0, 0.0)


def plenty(n, tokens=1_000_000):
    return Limits(tuple("abcdefghijklmnopq"[:n]), np.full(n, 1e9), tokens, 1.0, np.zeros(n))


def alignment(width=0.01):
    """Two candidates and two targets; x matches both of them better."""
    rows = [
        ("x.train", "x.eval", -2.0),
        ("y.train", "x.eval", -2.4),
        ("x.train", "t.eval", -3.1),
        ("y.train", "t.eval", -4.0),
        ("t.eval", "t.eval", -3.0),
        ("y.eval", "x.eval", -9.0),
    ]
    table = pd.DataFrame(rows, columns=["source", "target", "alignment"])
    return table.assign(ci_low=table["alignment"] - width, ci_high=table["alignment"] + width)


def test_worths_by_hand():
    found = worths_of(alignment(0), ["x", "y"], ["x", "t"], KNOWN, 3, 0)
    expected = np.exp(-np.sqrt(np.array([[0, 0], [0.4, 0.9]]) / 0.1))
    assert found.expected == pytest.approx(expected)
    assert found.drawn == pytest.approx(np.repeat(expected[None], 3, axis=0))  # nothing is uncertain


@pytest.mark.parametrize(
    ("width", "constants"),
    [(0.0196, KNOWN), (0, Constants(0.1, 0.2, 0.0)), (0, Constants(0.1, 0.0, 0.5))],
)
def test_each_error_is_drawn_with_its_spread(width, constants):
    found = worths_of(alignment(width), ["x", "y"], ["x", "t"], constants, 4000, 0)
    of_y = np.log(found.drawn[:, 1] / found.drawn[:, 0])
    # d log k = -sqrt(g / tau) (dg / 2g - dlog tau / 2), with g = .4 and sqrt(g / tau) = 2; scatter is of x and of y
    expected = {
        0.0196: 2 * 0.01 * np.sqrt(2) / 0.8,
        0: 2 * constants.log_tau_sd / 2 + np.sqrt(2) * constants.scatter,
    }[width]
    assert of_y[:, 0].std() == pytest.approx(expected, rel=0.05)
    joint = np.corrcoef(of_y.T)[0, 1]
    assert joint == pytest.approx(1.0 if constants.log_tau_sd else 0.0, abs=0.05)  # one tau for all pairs


def test_a_pair_that_was_not_measured_is_named():
    with pytest.raises(UserError, match=r"alignment of z\.train with x\.eval is missing"):
        worths_of(alignment(), ["x", "z"], ["x", "t"], KNOWN, 1, 0)


def test_gains_by_hand():
    worth = np.array([[1.0, 1e-9], [1e-9, 1.0], [0.1, 0.1]])
    drawn = worth * np.array([0.5, 1.0, 2.0])[:, None, None]  # a factor for all is no gain
    limits, worths = plenty(3), Worths(worth, drawn)
    proposal = propose(limits, HALVES, worths)
    table = gain_table(["s", "t"], HALVES, worths, proposal, UncertainSlope(0.2, 0.0), 0)
    rows = table.set_index(["against", "target"])
    even = np.log(0.5 / (1.1 / 3))
    assert rows.loc[("uniform", "s"), "effective_token_ratio"] == pytest.approx(np.exp(even))
    assert rows.loc[("uniform", "mean"), ["nats", "nats_low", "nats_high"]].tolist() == pytest.approx(
        [0.2 * even] * 3
    )
    # One candidate alone is worth next to nothing for one of the targets, so that the third is the best single one.
    assert proposal.alternatives["single"].tolist() == [0, 0, 1]
    assert rows.loc[("single", "mean"), "effective_token_ratio"] == pytest.approx(5)
    assert set(table["against"]) == {"uniform", "natural", "single"} and len(table) == 9


def test_the_spread_of_slopes_widens_nats_and_not_ratios():
    worth = np.array([[1.0, 0.01], [0.01, 0.5]])
    worths = Worths(worth, np.repeat(worth[None], 300, axis=0))
    proposal = propose(plenty(2), np.array([0.8, 0.2]), worths)
    table = gain_table(["s", "t"], np.array([0.8, 0.2]), worths, proposal, UncertainSlope(0.3, 0.25), 0)
    row = table.set_index(["against", "target"]).loc[("uniform", "s")]
    assert row["low"] == pytest.approx(row["high"])
    assert row["nats_high"] / row["nats"] == pytest.approx(np.exp(1.96 * 0.25), rel=0.15)


def test_alternatives_keep_the_limits():
    limits = Limits(("a", "b"), np.array([2e5, 1e6]), 1_000_000, 1.0, np.array([0.0, 0.0]))
    found = alternatives(limits, np.ones(1), np.array([[1.0], [0.1]]))
    assert found["uniform"] == pytest.approx([0.2, 0.8])
    assert found["natural"] == pytest.approx([1 / 6, 5 / 6])
    assert found["single"] == pytest.approx([0.2, 0.8])


def test_the_table_of_shares():
    limits = Limits(("a", "b", "c"), np.array([1e5, 1e9, 1e9]), 1_000_000, 4.0, np.array([0, 0, 0.1]))
    worth = np.array([[1.0], [0.5], [0.1]])
    drawn = np.array([worth, worth, [[0.1], [0.5], [1.0]]])
    table = mix_table(limits, propose(limits, np.ones(1), Worths(worth, drawn))).set_index("candidate")
    assert table["tokens"].tolist() == [400_000, 500_000, 100_000]
    assert table["epochs"].tolist() == pytest.approx([4, 0.0005, 0.0001])
    assert table["capped"].tolist() == [True, False, False]
    assert (table["share_low"] <= table["share"]).all() and (table["share"] <= table["share_high"]).all()
    # One more token of a replaces four of b, at half their worth: a gain of 2 of the .66 effective tokens per token.
    assert table.loc["a", "price"] * table.loc["a", "budget_price"] == pytest.approx(4 * 0.5 / 0.66)
    assert table.loc["b", "price"] == 0


def test_shares_are_decimals_that_sum_to_one():
    table = pd.DataFrame({"candidate": list("abc"), "share": [1 / 3, 1 / 3, 1 / 3]})
    found = decimal_shares(table)
    assert sum(Decimal(str(share)) for share in found.values()) == 1
    assert mixture_entry(found) == {"source": "mixture", "fractions": found}
    only = pd.DataFrame({"candidate": list("abc"), "share": [0.0, 1.0, 1e-9]})
    assert mixture_entry(decimal_shares(only))["fractions"] == {"b": 1.0, "a": 0.0}


def test_two_hundred_draws_of_many_candidates_take_seconds():
    rng = np.random.default_rng(0)
    worth = np.exp(-rng.exponential(4, (17, 13)))
    drawn = worth * np.exp(rng.normal(size=(200, 17, 13)))
    start = time.process_time()
    proposal = propose(plenty(17), np.full(13, 1 / 13), Worths(worth, drawn))
    assert time.process_time() - start < 10
    assert proposal.drawn_shares.shape == (200, 17)

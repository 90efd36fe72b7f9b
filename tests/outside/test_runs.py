"""Arrays from tables: the order of rows, means over seeds, gaps and their errors."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.outside.runs import gaps_of, mixture_scores, runs_of


def losses(rows):
    return pd.DataFrame(rows, columns=["train_set", "eval_set", "tokens", "seed", "loss"])


SHARES = pd.DataFrame({"train_set": ["a", "b", "b"], "corpus": ["x", "x", "y"], "share": [1.0, 0.25, 0.75]})


def test_losses_are_means_over_seeds_and_runs_differ_by_tokens():
    table = losses(
        [("b", "x", 10, 0, 3.0), ("b", "x", 10, 1, 4.0), ("a", "x", 10, 0, 2.0), ("a", "x", 20, 0, 1.0)]
    )
    runs = runs_of(table, SHARES, ["x", "y"], ["x"])
    assert runs.train_sets == ("a", "a", "b")
    assert runs.tokens.tolist() == [10, 20, 10]
    assert runs.losses[:, 0].tolist() == [2.0, 1.0, 3.5]
    assert runs.shares.tolist() == [[1, 0], [1, 0], [0.25, 0.75]]
    assert runs.own_shares[:, 0].tolist() == [1, 1, 0.25]


def test_unknown_tokens_count_alike_but_not_beside_known_ones():
    unknown = losses([("a", "x", 0, 0, 2.0), ("b", "x", 0, 0, 3.0)])
    assert runs_of(unknown, SHARES, ["x", "y"], ["x"]).tokens.tolist() == [1, 1]
    with pytest.raises(UserError, match="tokens of a are missing"):
        runs_of(losses([("a", "x", 0, 0, 2.0), ("b", "x", 5, 0, 3.0)]), SHARES, ["x", "y"], ["x"])


def alignment(rows):
    return pd.DataFrame(rows, columns=["source", "target", "alignment", "ci_low", "ci_high"])


def test_gaps_are_from_the_own_part_or_from_the_target_itself():
    table = alignment(
        [
            ("x.train", "x.eval", 0.9, 0.88, 0.92),
            ("y.train", "x.eval", 0.5, 0.46, 0.54),
            ("x.train", "z.eval", 0.3, 0.3, 0.3),
            ("y.train", "z.eval", 0.6, 0.6, 0.6),
            ("z.eval", "z.eval", 0.8, 0.8, 0.8),
            ("x.eval", "x.eval", 0.99, 0.99, 0.99),  # not looked at: x has a part of its own
        ]
    )
    gaps = gaps_of(table, ["x", "y"], ["x", "z"])
    assert gaps.values == pytest.approx(np.array([[0.0, 0.5], [0.4, 0.2]]))
    assert gaps.errors[0, 0] == 0
    assert gaps.errors[1, 0] == pytest.approx(np.hypot(0.02, 0.04) / 1.96)

    without_z = gaps_of(table[table["target"] != "z.eval"], ["x", "y"], ["x", "z"])
    assert np.isnan(without_z.values[:, 1]).all() and not np.isnan(without_z.values[:, 0]).any()


def test_alignments_of_mixtures_come_in_the_order_of_the_runs():
    runs = runs_of(losses([("a", "x", 0, 0, 2.0), ("b", "x", 0, 0, 3.0)]), SHARES, ["x", "y"], ["x"])
    table = pd.DataFrame(
        {
            "metric": "m",
            "train_set": ["b", "a"],
            "eval_set": "x",
            "alignment": [0.1, 0.2],
            "how": "mixed rows",
        }
    )
    assert mixture_scores([table], runs)["m"].tolist() == [[0.2], [0.1]]

"""Our own runs under the law: made-up losses that obey it, and what is said of a set left out."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.statistics.collapse import (
    COLLAPSE_TYPES,
    collapse,
    large_enough,
    runs_of_experiment,
    table,
)
from workflow_scripts.statistics.effective_tokens import Gaps
from workflow_scripts.statistics.experiments import Experiment

WORTH = {"x": 1.0, "y": 0.1, "z": 0.4, "w": 0.02}
MIXED = {"xy": {"x": 0.5, "y": 0.5}}
EXPERIMENT = Experiment("e", "pretraining", ("x", "y", "z", "w", "xy"), ("x",))


def losses(noise=0.01):
    rng = np.random.default_rng(0)
    rows = []
    for name in EXPERIMENT.train_sets:
        worth = sum(share * WORTH[corpus] for corpus, share in MIXED.get(name, {name: 1.0}).items())
        for tokens in (1e5, 2e5, 4e5, 8e5):
            for seed in range(2):
                loss = 10 - 0.5 * np.log(1e3 + tokens * worth) + rng.normal(0, noise)
                rows.append(("e", "whole", name, "x", int(tokens), seed, loss))
    return pd.DataFrame(
        rows, columns=["experiment", "part", "train_set", "eval_set", "tokens", "seed", "loss"]
    )


@pytest.fixture(scope="module")
def runs():
    return runs_of_experiment(EXPERIMENT, "whole", losses(), MIXED)


def gaps_for(runs, scale=1.0):
    """Gaps that give the true worths with the root kernel at tau = 1."""
    true = np.array([[np.log(WORTH[corpus]) ** 2 * scale] for corpus in runs.parts])
    return Gaps(true, np.zeros_like(true))


def test_a_mixture_is_split_into_its_corpora(runs):
    assert runs.parts == ("w", "x", "y", "z")
    row = runs.train_sets.index("xy")
    assert runs.shares[row].tolist() == [0, 0.5, 0.5, 0]
    assert len(runs.losses) == 20  # seeds are averaged


def test_losses_that_obey_the_law_fall_on_one_curve(runs):
    summary, curve, worths = collapse(runs, gaps_for(runs), 2**5.5, {"experiment": "e"})
    (fit,) = summary
    assert fit["r2"] > 0.995
    assert fit["slope"] == pytest.approx(0.5, rel=0.1)
    assert fit["r2_left_out"] > 0.95
    assert fit["error_left_out"] < 0.1
    assert len(curve) == 20
    found = {row["corpus"]: row for row in worths}
    assert found["z"]["low"] < 0.4 < found["z"]["high"]


def test_a_worth_that_is_wrong_shows_in_the_set_left_out(runs):
    misled = gaps_for(runs)
    values = misled.values.copy()
    values[runs.parts.index("z")] = 30.0  # as if z were worth nothing
    (fit,), _, _ = collapse(runs, Gaps(values, misled.errors), 2**5.5, {})
    (right,), _, _ = collapse(runs, misled, 2**5.5, {})
    assert fit["error_left_out"] > 2 * right["error_left_out"]


def test_too_few_runs_make_no_law(runs):
    one_budget = losses().query("tokens == 100000")
    assert large_enough(runs)
    assert not large_enough(runs_of_experiment(EXPERIMENT, "whole", one_budget, MIXED))


def test_an_empty_table_has_its_columns():
    assert list(table([], COLLAPSE_TYPES)) == list(COLLAPSE_TYPES)

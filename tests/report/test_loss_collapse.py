"""The figure of our own runs under the law: its numbers are those of the tables."""

import pandas as pd
import pytest

from workflow_scripts.report.figures.loss_collapse import loss_collapse
from workflow_scripts.report.wording import number


@pytest.fixture
def tables():
    fits = pd.DataFrame(
        {
            "experiment": "pretraining",
            "part": "whole",
            "metric": ["good", "good", "poor", "poor"],
            "eval_set": ["x", "y", "x", "y"],
            "r2": [0.97, 0.91, 0.99, 0.99],
            "r2_left_out": [0.5, 0.3, -1.0, -2.0],
            "error_left_out": [0.2, 0.4, 0.9, 1.1],
            "n_runs": 6,
            "n_train": 3,
        }
    )
    curves = pd.DataFrame(
        [
            ("pretraining", "whole", metric, target, train_set, tokens, tokens * worth, 5 - worth, 5.0)
            for metric in ("good", "poor")
            for target in ("x", "y")
            for train_set, worth in (("a", 1.0), ("b", 0.3), ("c", 0.1))
            for tokens in (1000, 2000)
        ],
        columns=[
            *("experiment", "part", "metric", "eval_set", "train_set", "tokens"),
            *("effective_tokens", "loss", "predicted"),
        ],
    )
    return {"loss_collapse": fits, "loss_collapse_curves": curves}


def test_the_measure_that_predicts_a_set_left_out_best_is_shown(tables):
    (figure,) = loss_collapse(tables)
    assert "with good for the left-out one" in figure.summary
    assert f"by {number(0.3)} nats" in figure.summary
    assert f"Median R² over 2 targets: {number(0.94)}" in figure.summary
    assert len(figure.data) == 12
    assert [panel.title for panel in figure.panels] == ["x", "y"]
    assert number(0.91) in figure.panels[1].subtitle


def test_an_experiment_without_a_law_has_no_figure(tables):
    assert loss_collapse({name: table.head(0) for name, table in tables.items()}) == []

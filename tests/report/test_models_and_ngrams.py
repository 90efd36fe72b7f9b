"""The figure and the caveat on models that n-grams of the same tokens beat: their numbers are those of the tables."""

import pandas as pd
import pytest

from workflow_scripts.report.answer import caveats
from workflow_scripts.report.figures.models_and_ngrams import models_and_ngrams

SETS = ("a", "b")


@pytest.fixture
def tables():
    """Two experiments: models of the first are worse than n-grams on a's own part, those of the second nowhere."""
    losses, ngrams = [], []
    for experiment, parts, beaten in (("one", ("whole", "answer"), 0.3), ("two", ("whole",), -0.2)):
        for part in parts:
            for tokens in (100, 200):
                for train_set in SETS:
                    for eval_set in SETS:
                        cell = {"experiment": experiment, "part": part, "tokens": tokens}
                        cell |= {"train_set": train_set, "eval_set": eval_set}
                        loss = 4.0 + (train_set != eval_set) - tokens / 1000
                        gap = beaten if (train_set, eval_set) == ("a", "a") else -0.5
                        losses.append({**cell, "seed": 0, "loss": loss})
                        ngrams.append({**cell, "loss": loss - gap, "order": 5, "from_scratch": True})
    return {"loss_summary": pd.DataFrame(losses), "ngram_summary": pd.DataFrame(ngrams)}


def test_a_figure_for_each_experiment_has_its_largest_budget_and_a_panel_for_each_part(tables):
    one, two = models_and_ngrams(tables)
    assert (one.name, two.name) == ("models_and_ngrams_one", "models_and_ngrams_two")
    assert [panel.title for panel in one.panels] == ["Whole documents", "Answers only"]
    assert set(one.data["tokens"]) == {200} and len(one.data) == 8
    own = one.data[(one.data["train_set"] == "a") & one.data["is_own"]]
    assert own["better_by"].tolist() == pytest.approx([-0.3, -0.3])
    assert "models of 1 of 2 training sets are better" in one.summary
    assert "0.30 nats worse (a) to 0.50 nats better (b)" in one.summary


def test_models_that_ngrams_beat_are_a_caveat_of_their_experiment_alone(tables):
    (found,) = caveats(tables)
    assert "by construction" in found and found.count("held-out part") == 1
    assert "One: on their own held-out part" in found and "0.30 nats worse (a)" in found


def test_a_run_without_the_table_has_no_caveat(tables):
    assert caveats({"loss_summary": tables["loss_summary"]}) == []

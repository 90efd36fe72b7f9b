import pandas as pd
import pytest

from workflow_scripts.report.ngram_sentences import ngram_sentences, own_parts_sentence
from workflow_scripts.statistics.ngram_gaps import ngram_gaps

PANEL = {"experiment": "one", "part": "whole", "tokens": 100}
CELLS = {("a", "a"): (4.0, 3.5), ("b", "b"): (3.0, 3.25), ("c", "c"): (5.0, 4.0), ("a", "b"): (6.0, 6.5)}


@pytest.fixture
def tables():
    """Losses of two seeds around the mean, and those of n-grams; a cell of each has no partner."""
    losses = [
        {**PANEL, "train_set": train, "eval_set": evaluated, "seed": seed, "loss": loss + shift}
        for (train, evaluated), (loss, _) in {**CELLS, ("none", "b"): (9.0, 0.0)}.items()
        for seed, shift in ((0, 0.1), (1, -0.1))
    ]
    ngrams = [
        {**PANEL, "train_set": train, "eval_set": evaluated, "loss": loss, "order": 5, "from_scratch": True}
        for (train, evaluated), (_, loss) in {**CELLS, ("b", "a"): (0.0, 7.0)}.items()
    ]
    return pd.DataFrame(losses), pd.DataFrame(ngrams)


def test_the_mean_over_seeds_is_compared_where_there_are_both(tables):
    gaps = ngram_gaps(*tables).set_index(["train_set", "eval_set"])
    assert set(gaps.index) == set(CELLS)
    for cell, (loss, ngram_loss) in CELLS.items():
        assert gaps.loc[cell, "loss"] == pytest.approx(loss)
        assert gaps.loc[cell, "better_by"] == pytest.approx(ngram_loss - loss)
        assert gaps.loc[cell, "is_own"] == (cell[0] == cell[1])
    assert set(gaps["n_seeds"]) == {2}


@pytest.mark.parametrize("diverged", [float("nan"), float("inf")])
def test_models_that_diverged_are_left_out(tables, diverged):
    losses, ngrams = tables
    is_cell = (losses["train_set"] == "a") & (losses["eval_set"] == "b")
    losses.loc[is_cell, "loss"] = diverged
    losses.loc[(losses["train_set"] == "b") & (losses["seed"] == 1), "loss"] = diverged
    gaps = ngram_gaps(losses, ngrams).set_index(["train_set", "eval_set"])
    assert set(gaps.index) == set(CELLS) - {("a", "b")}
    assert gaps.loc[("b", "b"), "loss"] == pytest.approx(3.1)
    assert gaps.loc[("b", "b"), "n_seeds"] == 1


def test_the_sentences_follow_the_numbers(tables):
    text = " ".join(ngram_sentences(ngram_gaps(*tables)))
    assert "the models of 1 of 3 training sets are better than a Kneser-Ney 5-gram model" in text
    assert "from 1.00 nats worse (c) to 0.25 nats better (b), on average 0.42 nats worse." in text
    assert "Over all pairs of sets, the models are better in 2 of 4." in text
    losses, ngrams = tables
    better = " ".join(ngram_sentences(ngram_gaps(losses, ngrams.assign(loss=ngrams["loss"] + 2))))
    assert "the models of 3 of 3 training sets" in better
    assert "worse" not in better


def test_several_experiments_share_one_sentence(tables):
    gaps = ngram_gaps(*tables)
    own = gaps[gaps["is_own"]]
    alone = own_parts_sentence({"first": own})
    assert alone.startswith("First: on their own held-out part, the models of 1 of 3 training sets")
    both = own_parts_sentence({"first": own, "second_one": own[own["train_set"] == "b"]})
    assert both.startswith(
        "Training sets whose models are better than a Kneser-Ney 5-gram model of the same tokens"
    )
    assert (
        "first 1 of 3 (on average 0.42 nats worse), second one 1 of 1 (on average 0.25 nats better)." in both
    )

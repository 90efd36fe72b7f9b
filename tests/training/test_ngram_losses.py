"""Losses of n-gram models against a brute-force model, token for token."""

import itertools
import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.tokens.encode import EncodedDocument
from workflow_scripts.tokens.rows import Rows
from workflow_scripts.training.evaluation import EvaluationSet, EvaluationSettings
from workflow_scripts.training.losses import ngram_losses_of_experiments
from workflow_scripts.training.ngram_losses import ngram_losses
from workflow_scripts.training.recipe import Recipe

VOCABULARY = 9


@pytest.fixture
def rows():
    """Thirty rows of ten tokens, skewed, the last ones padded."""
    ids = np.random.default_rng(0).zipf(1.5, (30, 10)).clip(max=VOCABULARY) - 1
    n_tokens = np.array([10] * 20 + [7] * 10, dtype=np.int32)
    real = np.arange(10) < n_tokens[:, None]
    names = [f"r{i}" for i in range(30)]
    return Rows(names, [[name] for name in names], (ids * real).astype(np.int32), n_tokens, real)


@pytest.fixture
def evaluation_set():
    """A pair whose answer is its last three tokens, a plain text, and a pair that is all answer but one token."""
    random = np.random.default_rng(1)
    documents = [
        EncodedDocument(
            str(i),
            (random.zipf(1.5, length).clip(max=VOCABULARY) - 1).astype(np.int32),
            np.arange(length) >= first,
            20,
            10,
        )
        for i, (length, first) in enumerate([(8, 5), (12, 0), (6, 1)])
    ]
    return EvaluationSet(documents, EvaluationSettings())


def recipe_of(**fields):
    return Recipe.from_dict(
        {
            "model": {"type": "gpt2"},
            "layout": "documents",
            "context": 10,
            "batch_rows": 4,
            "tokens": [203],
            "shuffle": False,
            **fields,
        }
    )


def brute_force_bigram(read):
    """log p(token | the one before it, or None), counted with dictionaries and nothing else."""
    pairs = Counter((a, b) for row in read for a, b in itertools.pairwise(row))
    unigrams = Counter(b for _, b in pairs)

    def discounts(counts):
        n = Counter(counts.values())
        y = n[1] / (n[1] + 2 * n[2]) if n[1] and n[2] and n[3] else None
        if y is None:
            return 0.5, 1.0, 1.5
        found = tuple(i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3))
        return found if min(found) > 0 else (0.5, 1.0, 1.5)

    def smoothed(counts, own, of_history, lower):
        d = discounts(counts)
        total = sum(of_history)
        if not total:
            return lower
        left = sum(d[min(count, 3) - 1] for count in of_history)
        return ((own - d[min(own, 3) - 1]) if own else 0) / total + left / total * lower

    def log_p(token, before):
        p = smoothed(unigrams, unigrams[token], list(unigrams.values()), 1 / VOCABULARY)
        after = [count for (a, _), count in pairs.items() if a == before]
        return math.log(smoothed(pairs, pairs[before, token], after, p))

    return log_p


def test_losses_are_those_of_a_brute_force_model_token_for_token(rows, evaluation_set):
    found = ngram_losses(
        rows, recipe_of(), "x", 7, [203], {"e": evaluation_set}, VOCABULARY, order=2
    ).set_index("part")
    # 200 tokens in 20 full rows, and 3 of the next one.
    read = [row.tolist() for row in rows.input_ids[:20]] + [rows.input_ids[20, :3].tolist()]
    log_p = brute_force_bigram(read)
    nll = {"whole": [], "answer": []}
    for document in evaluation_set.documents:
        ids = document.input_ids.tolist()
        for t in range(1, len(ids)):
            nll["whole"].append(-log_p(ids[t], ids[t - 1]))
            if document.answer[t] and not document.answer.all():
                nll["answer"].append(-log_p(ids[t], ids[t - 1]))
    assert found.loc["whole", "n_tokens"] == 7 + 11 + 5
    assert found.loc["answer", "n_tokens"] == 3 + 5
    for part, values in nll.items():
        assert found.loc[part, "loss"] == pytest.approx(np.mean(values), rel=1e-12)
    assert set(found["tokens_read"]) == {203} and set(found["seed"]) == {7}


def test_a_model_for_each_asked_budget_sees_its_own_tokens_alone(rows, evaluation_set):
    recipe = recipe_of(tokens=[40, 150, 203])
    asked = ngram_losses(rows, recipe, "x", 0, [40, 203], {"e": evaluation_set}, VOCABULARY, order=3)
    assert sorted(set(asked["tokens"])) == [40, 203]
    alone = ngram_losses(
        rows, recipe_of(tokens=[40]), "x", 0, [40], {"e": evaluation_set}, VOCABULARY, order=3
    )
    pd.testing.assert_frame_equal(asked[asked["tokens"] == 40].reset_index(drop=True), alone)


def test_text_that_a_base_had_read_is_not_counted_and_it_is_said(rows, evaluation_set):
    sets = {"e": evaluation_set}
    scratch, tuned = (
        ngram_losses(rows, recipe_of(model=model), "x", 0, [203], sets, VOCABULARY, order=2)
        for model in ({"type": "gpt2"}, {"base": "probe"})
    )
    assert scratch["from_scratch"].all() and not tuned["from_scratch"].any()
    assert scratch["loss"].tolist() == tuned["loss"].tolist()


def test_an_experiment_has_a_row_for_each_cell_of_its_own_tables():
    cell = {"part": "whole", "seed": 0, "from_scratch": True, "order": 5, "tokens_read": 1, "n_tokens": 9}
    losses = pd.DataFrame(
        [
            {**cell, "recipe": recipe, "train_set": train, "eval_set": evaluated, "tokens": tokens}
            | {"loss": 4.0}
            for recipe in ("one", "other")
            for train in ("a", "b")
            for evaluated in ("a", "e")
            for tokens in (10, 20)
        ]
    )
    experiment = {"name": "n", "recipe": "one", "train_sets": ["a"], "eval_sets": ["e"], "tokens": [20]}
    grid = {**experiment, "name": "grid", "train_sets": ["a", "b"], "tokens": [10, 20]}
    found = ngram_losses_of_experiments([experiment, grid], losses)
    assert found[["experiment", "train_set", "tokens"]].to_numpy().tolist() == [
        ["n", "a", 20],
        ["grid", "a", 10],
        ["grid", "a", 20],
        ["grid", "b", 10],
        ["grid", "b", 20],
    ]
    assert ngram_losses_of_experiments([], losses).empty

"""Exactly the tokens of a run, whatever cuts its rows."""

from collections import Counter

import numpy as np
import pytest

from workflow_scripts.training.recipe import Recipe
from workflow_scripts.training.schedule import make_blocks, plan_run
from workflow_scripts.training.tokens_read import tokens_read


def recipe_of(**fields):
    return Recipe.from_dict(
        {"model": {"type": "gpt2"}, "layout": "packed", "context": 8, "batch_rows": 3, **fields}
    )


def read_up_to(rows, recipe, seed, budget):
    return dict(tokens_read(rows, recipe, seed, "x"))[budget]


def test_a_budget_that_ends_inside_a_row_cuts_it(make_rows):
    rows = make_rows(n_rows=6, length=8)
    read = read_up_to(rows, recipe_of(tokens=[21], shuffle=False), 0, 21)
    expected = [rows.input_ids[0], rows.input_ids[1], rows.input_ids[2, :5]]
    assert [row.tolist() for row in read] == [row.tolist() for row in expected]


@pytest.mark.parametrize("epochs", [1, 3])
def test_each_budget_has_as_many_tokens_as_it_says_and_epochs_count_once(make_rows, epochs):
    rows = make_rows(n_rows=20, length=8, n_tokens=[8, 5, 6, 8] * 5)
    recipe = recipe_of(tokens=[21, 44, 90], layout="documents", epochs=epochs)
    found = dict(tokens_read(rows, recipe, 3, "x"))
    assert {budget: sum(map(len, read)) for budget, read in found.items()} == {21: 21, 44: 44, 90: 90}


def test_they_are_the_tokens_that_the_schedule_of_the_run_gives_the_model(make_rows):
    """What the model is fed of each row up to the budget, with the rows' own tokens as a count."""
    rows = make_rows(n_rows=40, length=4)
    recipe = recipe_of(tokens=[50, 131])
    blocks = make_blocks(rows, recipe, "x")
    schedule = plan_run(blocks, recipe, 5, "x")
    fed = Counter()
    for i in range(schedule.bounds[schedule.readings[50]]):
        piece = slice(schedule.pieces.begin[i], schedule.pieces.end[i])
        fed.update(blocks.input_ids[schedule.pieces.block[i], piece].tolist())
    assert Counter(np.concatenate(read_up_to(rows, recipe, 5, 50)).tolist()) == fed
    assert fed.total() == 50


def test_another_seed_reads_other_rows(make_rows):
    rows, recipe = make_rows(n_rows=40, length=8), recipe_of(tokens=[80])
    first, other = (read_up_to(rows, recipe, seed, 80) for seed in (0, 1))
    assert not np.array_equal(np.concatenate(first), np.concatenate(other))


def test_padding_that_a_budget_counts_is_no_token(make_rows):
    rows = make_rows(n_rows=4, length=8, n_tokens=[3, 5, 6, 8])
    recipe = recipe_of(tokens=[18], layout="documents", count="padded", shuffle=False)
    read = read_up_to(rows, recipe, 0, 18)
    assert [len(row) for row in read] == [3, 5, 2]


def test_rows_that_are_joined_to_the_context_are_one_row(make_rows):
    rows = make_rows(n_rows=7, length=4, n_tokens=[4] * 6 + [2])
    read = read_up_to(rows, recipe_of(tokens=[24], shuffle=False), 0, 24)
    assert [row.tolist() for row in read] == rows.input_ids[:6].reshape(3, 8).tolist()

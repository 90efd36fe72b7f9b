import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.errors import UserError
from workflow_scripts.training.recipe import Recipe
from workflow_scripts.training.schedule import Blocks, make_blocks, plan_equal_shares, plan_run

MODEL = {"type": "gpt2"}


def recipe_of(**fields):
    return Recipe.from_dict({"model": MODEL, "layout": "packed", "context": 8, "batch_rows": 3, **fields})


def blocks_of(sizes, context=8):
    sizes = np.asarray(sizes, dtype=np.int64)
    ids = np.arange(len(sizes) * context, dtype=np.int32).reshape(-1, context)
    return Blocks(ids, np.arange(context) < sizes[:, None], sizes)


def tokens_read(schedule, up_to_step=None):
    """Every (block, position) that is learnt, in a list: with repetitions, if there were any."""
    end = schedule.bounds[-1 if up_to_step is None else up_to_step]
    pieces = schedule.pieces
    return [
        (int(pieces.block[i]), position)
        for i in range(end)
        for position in range(pieces.begin[i], pieces.end[i])
    ]


sizes_and_budgets = st.lists(st.integers(2, 8), min_size=4, max_size=30).flatmap(
    lambda sizes: st.tuples(
        st.just(sizes),
        st.lists(st.integers(10, max(sum(sizes), 10)), min_size=1, max_size=3, unique=True).map(sorted),
    )
)


@settings(max_examples=60, deadline=None)
@given(sizes_and_budgets, st.integers(0, 5), st.booleans())
def test_each_budget_is_met_exactly_and_nested_in_the_larger_ones(case, seed, shuffle):
    sizes, budgets = case
    budgets = [budget for budget in budgets if budget <= sum(sizes)] or [sum(sizes)]
    recipe = recipe_of(tokens=budgets, shuffle=shuffle)
    schedule = plan_run(blocks_of(sizes), recipe, seed, "x")
    before: list[tuple[int, int]] = []
    for budget in budgets:
        read = tokens_read(schedule, schedule.readings[budget])
        # A batch without a token to predict is left out: its single tokens open a row.
        assert budget - 3 <= len(read) <= budget
        assert len(set(read)) == len(read)
        assert read[: len(before)] == before
        before = read


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(2, 8), min_size=6, max_size=20), st.integers(0, 3))
def test_the_state_at_a_budget_does_not_depend_on_larger_ones(sizes, seed):
    first = sum(sizes) // 2
    alone = plan_run(blocks_of(sizes), recipe_of(tokens=[first]), seed, "x")
    longer = plan_run(blocks_of(sizes), recipe_of(tokens=[first, sum(sizes)]), seed, "x")
    step = longer.readings[first]
    assert step == alone.n_steps
    assert np.array_equal(longer.bounds[: step + 1], alone.bounds)
    for field in ("block", "begin", "end"):
        part = getattr(longer.pieces, field)[: longer.bounds[step]]
        assert np.array_equal(part, getattr(alone.pieces, field))


def test_batches_have_the_asked_rows_except_the_last_before_a_budget():
    schedule = plan_run(blocks_of([8] * 20), recipe_of(tokens=[5 * 8, 20 * 8]), 0, "x")
    assert np.diff(schedule.bounds).tolist() == [3, 2, 3, 3, 3, 3, 3]
    assert schedule.readings == {40: 2, 160: 7}


def test_the_seed_draws_which_rows_come_first_unless_the_file_order_is_asked_for():
    blocks = blocks_of([8] * 50)

    def first(seed, shuffle):
        return plan_run(blocks, recipe_of(tokens=[80], shuffle=shuffle), seed, "x").pieces.block.tolist()

    assert first(0, True) == first(0, True) != first(1, True)
    assert first(0, False) == first(1, False) == list(range(10))


def test_epochs_repeat_the_same_tokens_in_another_order():
    schedule = plan_run(blocks_of([8] * 20), recipe_of(tokens=[70], epochs=3), 0, "x")
    read = tokens_read(schedule)
    passes = [read[i : i + 70] for i in (0, 70, 140)]
    assert len(read) == 210
    assert len({tuple(sorted(one)) for one in passes}) == 1
    assert passes[0] != passes[1] != passes[2]
    assert schedule.readings == {70: schedule.n_steps}


def test_a_small_corpus_is_refused_with_the_numbers():
    with pytest.raises(UserError, match="'x' has 32 tokens in 4 rows of 8, but the recipe needs 33"):
        plan_run(blocks_of([8] * 4), recipe_of(tokens=[33]), 0, "x")


def test_a_batch_without_anything_to_predict_is_left_out():
    schedule = plan_run(blocks_of([8] * 6), recipe_of(tokens=[25], shuffle=False), 0, "x")
    assert schedule.n_steps == 1  # The fourth row would give its first token alone.
    with pytest.raises(UserError, match="no token to learn"):
        plan_run(blocks_of([1] * 6), recipe_of(tokens=[3]), 0, "x")


def test_rows_are_joined_to_the_context_and_a_partial_last_row_is_dropped(make_rows):
    rows = make_rows(n_rows=7, length=4, n_tokens=[4] * 6 + [2])
    blocks = make_blocks(rows, recipe_of(tokens=[8]), "x")
    assert blocks.input_ids.tolist() == rows.input_ids[:6].reshape(3, 8).tolist()
    assert blocks.sizes.tolist() == [8, 8, 8]


@pytest.mark.parametrize(
    ("fields", "n_tokens", "message"),
    [
        ({"context": 10}, None, "context is 10; it must be a multiple of the row length, 4"),
        ({"context": 2}, None, "context is 2; it must be a multiple of the row length, 4"),
        ({"layout": "documents"}, None, "for rows of documents it must be the row length, 4"),
        ({}, [4, 3, 4, 4], "has padded rows, which cannot be joined"),
    ],
)
def test_rows_that_do_not_fit_the_recipe_are_refused(make_rows, fields, n_tokens, message):
    rows = make_rows(n_rows=4, length=4, n_tokens=n_tokens)
    with pytest.raises(UserError, match=message):
        make_blocks(rows, recipe_of(tokens=[8], **fields), "x")


def test_what_counts_and_what_is_learnt(make_rows):
    rows = make_rows(n_rows=4, length=8, n_tokens=[8, 5, 6, 8])
    real = make_blocks(rows, recipe_of(tokens=[8], layout="documents"), "x")
    padded = make_blocks(rows, recipe_of(tokens=[8], layout="documents", count="padded"), "x")
    answer = make_blocks(rows, recipe_of(tokens=[8], layout="documents", loss="answer"), "x")
    assert real.sizes.tolist() == [8, 5, 6, 8]
    assert padded.sizes.tolist() == [8, 8, 8, 8]
    assert real.learnable.sum(axis=1).tolist() == [8, 5, 6, 8]
    assert answer.learnable.sum(axis=1).tolist() == [4, 1, 2, 4]


def test_equal_shares_are_equal_to_one_token_and_mixed():
    sets = [("a", blocks_of([8] * 30)), ("b", blocks_of([8] * 20)), ("c", blocks_of([7] * 40))]
    schedule = plan_equal_shares(sets, 302, 4, seed=0)
    pieces = schedule.pieces
    sizes = pieces.end - pieces.begin
    edges = [0, 30, 50, 90]
    shares = [
        int(sizes[(pieces.block >= a) & (pieces.block < b)].sum()) for a, b in itertools.pairwise(edges)
    ]
    assert shares == [101, 101, 100]
    assert (pieces.block[:12] < 30).any() and (pieces.block[:12] >= 50).any()
    with pytest.raises(
        UserError, match="'b' has 160 tokens, but its share of 600 tokens over 3 corpora is 200"
    ):
        plan_equal_shares(sets, 600, 4, seed=0)


def test_a_small_corpus_may_give_all_it_has():
    schedule = plan_run(blocks_of([8] * 4), recipe_of(tokens=[33], epochs=2, fewer_tokens=True), 0, "x")
    assert len(tokens_read(schedule)) == 2 * 32
    assert schedule.readings == {33: schedule.n_steps}

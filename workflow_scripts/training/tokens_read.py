"""The tokens that a run has read when it reaches a budget, each once."""

from collections.abc import Iterator

import numpy as np

from workflow_scripts.tokens.rows import Rows
from workflow_scripts.training.recipe import Recipe
from workflow_scripts.training.schedule import make_blocks, plan_run


def tokens_read(rows: Rows, recipe: Recipe, seed: int, name: str) -> Iterator[tuple[int, list[np.ndarray]]]:
    """For each budget, the rows that a run of the recipe reads, without padding, in the order of the file.

    A row that the budget cuts is cut here. Tokens of several epochs count once. Padding is left out, even if a budget
    counts it. Prompts are included, even if only answers are learnt.
    """
    blocks = make_blocks(rows, recipe, name)
    rows_of_block = recipe.context // rows.length
    real = rows.n_tokens[: len(blocks) * rows_of_block].reshape(-1, rows_of_block).sum(axis=1)
    for run in recipe.runs():
        schedule = plan_run(blocks, run, seed, name)
        for budget, steps in schedule.readings.items():
            pieces = schedule.pieces.take(np.arange(schedule.bounds[steps]))
            ends = np.zeros(len(blocks), dtype=np.int64)
            np.maximum.at(ends, pieces.block, pieces.end)
            ends = np.minimum(ends, real)
            yield budget, [blocks.input_ids[block, : ends[block]] for block in np.flatnonzero(ends)]

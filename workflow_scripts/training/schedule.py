"""Which tokens a run reads, in which order, and in which optimiser step.

A training set contributes exactly as many tokens as the budget says. Rows are read in the seed's order until the
budget is reached. The row that crosses it is cut: its tokens beyond the budget are masked in the loss. Because every
model is causal, they then have no influence. If a run continues to a larger budget, the cut row is read again with
the complementary mask. So each token of the larger budget is learnt exactly once, too.

A batch never crosses a budget: the last batch before one may be short. A run is therefore in the same state at a
budget whether or not it continues.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workflow_scripts.errors import UserError
from workflow_scripts.tokens.rows import Rows
from workflow_scripts.training.recipe import Recipe


@dataclass(frozen=True)
class Blocks:
    """Training rows of `context` tokens each, made from one or several consecutive token rows."""

    input_ids: np.ndarray  # int32, (blocks, context)
    learnable: np.ndarray  # bool: tokens that count in the loss
    sizes: np.ndarray  # int64: tokens a block adds to a budget

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class Pieces:
    """Blocks in reading order; the tokens `begin <= t < end` of block i are learnt."""

    block: np.ndarray
    begin: np.ndarray
    end: np.ndarray

    def __len__(self) -> int:
        return len(self.block)

    def take(self, index: np.ndarray) -> "Pieces":
        return Pieces(self.block[index], self.begin[index], self.end[index])

    @staticmethod
    def joined(parts: Sequence["Pieces"]) -> "Pieces":
        return Pieces(
            np.concatenate([part.block for part in parts]),
            np.concatenate([part.begin for part in parts]),
            np.concatenate([part.end for part in parts]),
        )


@dataclass(frozen=True)
class Schedule:
    """A complete run: step s reads the pieces `bounds[s]:bounds[s + 1]`."""

    blocks: Blocks
    pieces: Pieces
    bounds: np.ndarray
    readings: dict[int, int]  # budget -> number of steps after which it is reached

    @property
    def n_steps(self) -> int:
        return len(self.bounds) - 1


def make_blocks(rows: Rows, recipe: Recipe, name: str) -> Blocks:
    """The rows that a recipe trains on: unchanged documents, or consecutive packed rows joined to `context` tokens.

    Rows at the end of the file that do not fill a block are not used.
    """
    context, length = recipe.context, rows.length
    if recipe.layout == "documents" and context != length:
        raise UserError(
            f"recipe: context is {context}; for rows of documents it must be the row length, {length}"
        )
    if context % length:
        raise UserError(f"recipe: context is {context}; it must be a multiple of the row length, {length}")
    joined = context // length
    usable = len(rows)
    if joined > 1:
        padded = np.flatnonzero(rows.n_tokens < length)
        usable = (int(padded[0]) if len(padded) else len(rows)) // joined * joined
        if len(padded) and padded[0] < len(rows) - 1:
            raise UserError(
                f"recipe: context is {context}; train set {name!r} has padded rows, which cannot be joined"
            )
    counted = rows.n_tokens if recipe.count == "real" else np.full(len(rows), length)
    learnable = rows.attention_mask if recipe.loss == "whole" else rows.loss_mask & rows.attention_mask
    return Blocks(
        rows.input_ids[:usable].reshape(-1, context),
        learnable[:usable].reshape(-1, context),
        counted[:usable].astype(np.int64).reshape(-1, joined).sum(axis=1),
    )


def read_in_order(order: np.ndarray, sizes: np.ndarray, begin: int, end: int) -> Pieces:
    """The pieces with the tokens `begin <= n < end`, counted along the blocks in `order`."""
    last = np.cumsum(sizes[order])
    first = last - sizes[order]
    within = (last > begin) & (first < end)
    return Pieces(
        order[within],
        np.maximum(begin - first[within], 0),
        np.minimum(sizes[order][within], end - first[within]),
    )


def plan_run(blocks: Blocks, recipe: Recipe, seed: int, name: str) -> Schedule:
    """The schedule of one training set: several budgets in one epoch, or several passes over one budget."""
    budgets, epochs, shuffle, batch_rows = recipe.tokens, recipe.epochs, recipe.shuffle, recipe.batch_rows
    available = int(blocks.sizes.sum())
    if max(budgets) > available and not recipe.fewer_tokens:
        raise UserError(
            f"train set {name!r} has {available} tokens in {len(blocks)} rows of {blocks.input_ids.shape[1]}, "
            f"but the recipe needs {max(budgets)}"
        )
    random = np.random.default_rng(seed)
    order = random.permutation(len(blocks)) if shuffle else np.arange(len(blocks))
    if epochs == 1:
        starts = [0, *budgets[:-1]]
        parts = [read_in_order(order, blocks.sizes, *span) for span in zip(starts, budgets, strict=True)]
        return _steps_of(blocks, parts, {budget: part for part, budget in enumerate(budgets)}, batch_rows)
    (budget,) = budgets
    chosen = read_in_order(order, blocks.sizes, 0, budget)
    parts = [chosen]
    for _ in range(epochs - 1):
        parts.append(chosen.take(random.permutation(len(chosen))) if shuffle else chosen)
    return _steps_of(blocks, parts, {budget: epochs - 1}, batch_rows)


def plan_equal_shares(
    sets: Sequence[tuple[str, Blocks]], tokens: int, batch_rows: int, seed: int
) -> Schedule:
    """One pass over equal shares of several sets, with their blocks in mixed order.

    If the tokens cannot be divided equally, shares differ by one token.
    """
    random = np.random.default_rng(seed)
    parts, offset = [], 0
    for position, (name, blocks) in enumerate(sets):
        share = tokens // len(sets) + (position < tokens % len(sets))
        available = int(blocks.sizes.sum())
        if share > available:
            raise UserError(
                f"corpus {name!r} has {available} tokens, but its share of {tokens} tokens over {len(sets)} corpora "
                f"is {share}"
            )
        chosen = read_in_order(random.permutation(len(blocks)), blocks.sizes, 0, share)
        parts.append(Pieces(chosen.block + offset, chosen.begin, chosen.end))
        offset += len(blocks)
    together = Pieces.joined(parts)
    mixed = together.take(random.permutation(len(together)))
    everything = Blocks(
        np.concatenate([blocks.input_ids for _, blocks in sets]),
        np.concatenate([blocks.learnable for _, blocks in sets]),
        np.concatenate([blocks.sizes for _, blocks in sets]),
    )
    return _steps_of(everything, [mixed], {tokens: 0}, batch_rows)


def _steps_of(blocks: Blocks, parts: list[Pieces], part_of: dict[int, int], batch_rows: int) -> Schedule:
    """Cut every part into batches; a batch without a single token to predict is left out (its loss is undefined)."""
    pieces = Pieces.joined(parts)
    positions = np.arange(blocks.input_ids.shape[1])
    starts: list[int] = []
    kept = np.ones(len(pieces), dtype=bool)
    steps_after = []
    offset = 0
    for part in parts:
        for start in range(0, len(part), batch_rows):
            batch = part.take(np.arange(start, min(start + batch_rows, len(part))))
            inside = (positions >= np.maximum(batch.begin, 1)[:, None]) & (positions < batch.end[:, None])
            if (blocks.learnable[batch.block] & inside).any():
                starts.append(len(batch))
            else:
                kept[offset + start : offset + start + len(batch)] = False
        offset += len(part)
        steps_after.append(len(starts))
    if not starts or steps_after[0] == 0:
        raise UserError(f"a budget of {min(part_of)} tokens leaves no token to learn")
    return Schedule(
        blocks,
        pieces.take(np.flatnonzero(kept)),
        np.concatenate([[0], np.cumsum(starts)]),
        {budget: steps_after[part] for budget, part in part_of.items()},
    )

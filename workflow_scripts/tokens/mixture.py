"""Rows of several sets in fixed shares, and rows of random tokens."""

import numpy as np

from workflow_scripts.tokens.rows import Rows


def mix(sets: list[Rows], fractions: list[float], unit: int = 1) -> Rows:
    """Interleave sets so that every prefix has the fractions as nearly as whole units of `unit` rows allow.

    Rows keep their ids and their order within each set. At each step, the set that is furthest below its share of real
    tokens gives its next unit. The mixture ends when that set has no whole unit left.
    """
    if len(sets) != len(fractions) or abs(sum(fractions) - 1) > 1e-9 or min(fractions) < 0:
        raise ValueError(f"a mixture needs one non-negative fraction per set, summing to 1: {fractions}")
    given = np.zeros(len(sets))
    position = [0] * len(sets)
    order: list[tuple[int, int]] = []
    while True:
        total = given.sum() + 1
        lag = np.array(fractions) * total - given
        lag[np.array(fractions) == 0] = -np.inf
        which = int(np.argmax(lag))
        start = position[which]
        if start + unit > len(sets[which]):
            break
        order.extend((which, row) for row in range(start, start + unit))
        given[which] += float(sets[which].n_tokens[start : start + unit].sum())
        position[which] += unit
    return _gather(sets, order)


def _gather(sets: list[Rows], order: list[tuple[int, int]]) -> Rows:
    return Rows(
        [sets[s].row_ids[r] for s, r in order],
        [sets[s].doc_ids[r] for s, r in order],
        np.array([sets[s].input_ids[r] for s, r in order], dtype=np.int32).reshape(-1, sets[0].length),
        np.array([sets[s].n_tokens[r] for s, r in order], dtype=np.int32),
        np.array([sets[s].loss_mask[r] for s, r in order], dtype=bool).reshape(-1, sets[0].length),
    )


def random_rows(
    count: int, length: int, vocabulary: int, excluded: set[int], seed: int, row_prefix: str
) -> Rows:
    """Tokens drawn uniformly from the vocabulary, without special tokens: text of no language."""
    allowed = np.array([token for token in range(vocabulary) if token not in excluded], dtype=np.int32)
    input_ids = np.random.default_rng(seed).choice(allowed, size=(count, length))
    return Rows(
        [f"{row_prefix}/{row:07d}" for row in range(count)],
        [[] for _ in range(count)],
        input_ids.astype(np.int32),
        np.full(count, length, dtype=np.int32),
        np.ones((count, length), dtype=bool),
    )

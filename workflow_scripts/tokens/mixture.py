"""Rows of several sets in fixed shares, and rows of random tokens."""

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from workflow_scripts.storage.tables import read_table
from workflow_scripts.tokens.layouts import rows_at_a_time
from workflow_scripts.tokens.rows import Rows, joined, row_portions


def mix_files(paths: Sequence[Path], fractions: Sequence[float], unit: int = 1) -> Iterator[Rows]:
    """`mix` of sets in files, some rows at a time."""
    counts = [read_table(path, ["n_tokens"]).column("n_tokens").to_numpy() for path in paths]
    order = _order(counts, fractions, unit)
    readers = [_Reader(path) for path in paths]
    most = max(1, rows_at_a_time(readers[0].length) // unit)
    for start in range(0, max(len(order), 1), most):
        units = order[start : start + most]
        rows = np.bincount(units, minlength=len(paths)) * unit
        parts = [reader.next(count) for reader, count in zip(readers, rows.tolist(), strict=True)]
        yield _interleaved(parts, units, unit)


def mix(sets: Sequence[Rows], fractions: Sequence[float], unit: int = 1) -> Rows:
    """Interleave sets so that every prefix has the fractions as nearly as whole units of `unit` rows allow.

    Rows keep their ids and their order within each set. At each step, the set that is furthest below its share of real
    tokens gives its next unit. The mixture ends when that set has no whole unit left.
    """
    return _interleaved(sets, _order([rows.n_tokens for rows in sets], fractions, unit), unit)


def _interleaved(sets: Sequence[Rows], order: np.ndarray, unit: int) -> Rows:
    """The next unit of the set that `order` names, again and again."""
    sizes = np.array([len(rows) for rows in sets])
    first = np.cumsum(sizes) - sizes
    places = np.empty(len(order), dtype=np.int64)
    for which in range(len(sets)):
        mine = order == which
        places[mine] = first[which] + unit * np.arange(mine.sum())
    return joined(sets).take((places[:, None] + np.arange(unit)).reshape(-1))


def _order(n_tokens: Sequence[np.ndarray], fractions: Sequence[float], unit: int) -> np.ndarray:
    """The set that each unit of the mixture comes from, given the real tokens of each set's rows."""
    if len(n_tokens) != len(fractions) or abs(sum(fractions) - 1) > 1e-9 or min(fractions) < 0:
        raise ValueError(f"a mixture needs one non-negative fraction per set, summing to 1: {fractions}")
    shares = np.array(fractions)
    tokens = [
        own[: len(own) // unit * unit].reshape(-1, unit).sum(axis=1, dtype=np.float64) for own in n_tokens
    ]
    given = np.zeros(len(tokens))
    position = [0] * len(tokens)
    order = array("i")
    while True:
        lag = shares * (given.sum() + 1) - given
        lag[shares == 0] = -np.inf
        which = int(np.argmax(lag))
        if position[which] == len(tokens[which]):
            return np.array(order, dtype=np.int64)
        order.append(which)
        given[which] += tokens[which][position[which]]
        position[which] += 1


class _Reader:
    """Reads the rows of a set in order."""

    def __init__(self, path: Path):
        self._portions = row_portions(path)
        self._held = next(self._portions)
        self.length = self._held.length

    def next(self, count: int) -> Rows:
        parts, got = [self._held], len(self._held)
        while got < count:
            parts.append(next(self._portions))
            got += len(parts[-1])
        rows = joined(parts)
        self._held = rows.take(np.arange(count, len(rows)))
        return rows.take(np.arange(count))


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

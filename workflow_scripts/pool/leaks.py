"""Rows that repeat the target: a model trained on them has seen its evaluation text.

A target row recurs in a row of the pool if both have the same words in the same order, or if the row of the pool has
at least half of the target row's distinct word 5-grams. If a target row has fewer than 8 distinct 5-grams, all must
recur, because half of them may be one common phrase. A row of fewer than 5 words recurs only as a whole row. The
count is exact except for collisions of 64-bit hashes.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from workflow_scripts.texts.copies import THRESHOLD
from workflow_scripts.texts.hash_filter import HashFilter
from workflow_scripts.texts.words import Words, shingles

FEWEST_SHINGLES = 8
RULE = (
    f"the same words, or at least {THRESHOLD} of the target row's distinct word 5-grams "
    f"(all of them, if there are fewer than {FEWEST_SHINGLES})"
)

# Pairs of an n-gram and a target row per step, because boilerplate shared by all rows makes many.
_MOST_PAIRS = 1 << 22


class LeakFinder:
    def __init__(self, target: Words):
        rows = len(target.starts) - 1
        hashes, owners = shingles(target)
        members, numbers = np.unique(hashes, return_inverse=True)
        self._filter = HashFilter(members)
        # Which target rows have each 5-gram.
        self._rows_of = _incidence(numbers, owners, (len(members), rows))
        self._degrees = np.diff(self._rows_of.indptr)
        distinct = np.bincount(self._rows_of.indices, minlength=rows)
        needed = np.where(distinct < FEWEST_SHINGLES, distinct, np.ceil(distinct * THRESHOLD))
        self._needed = np.where(distinct, needed, np.inf)
        self._fewest = self._needed.min(initial=np.inf)
        self._by_text: dict[int, list[int]] = {}
        for row, (text, count) in enumerate(zip(target.texts.tolist(), target.counts(), strict=True)):
            if count:
                self._by_text.setdefault(text, []).append(row)
        self._texts = HashFilter(np.array(sorted(self._by_text), dtype=np.uint64))

    def pairs(self, words: Words) -> list[tuple[int, int]]:
        """Sorted pairs (text, target row) of which the target row recurs in the text."""
        return sorted({*self._equal(words), *self._containing(words)})

    def _equal(self, words: Words) -> Iterator[tuple[int, int]]:
        for text in self._texts.find(words.texts)[0].tolist():
            for row in self._by_text[int(words.texts[text])]:
                yield text, row

    def _containing(self, words: Words) -> Iterator[tuple[int, int]]:
        hashes, owners = shingles(words)
        places, numbers = self._filter.find(hashes)
        texts, inverse = np.unique(owners[places], return_inverse=True)
        has = _incidence(inverse, numbers, (len(texts), len(self._filter.members)))
        enough = np.flatnonzero(np.diff(has.indptr) >= self._fewest)
        texts, has = texts[enough], has[enough]
        pairs_before = np.concatenate([[0], np.cumsum(self._degrees[has.indices])])[has.indptr]
        for portion in _portions(pairs_before):
            shared = (has[portion] @ self._rows_of).tocoo()
            leaks = shared.data >= self._needed[shared.col]
            yield from zip(
                texts[portion][shared.row[leaks]].tolist(), shared.col[leaks].tolist(), strict=True
            )


def _incidence(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
    """1 for each pair of a row and a column, however often it is listed."""
    matrix = sparse.csr_array((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def _portions(before: NDArray[np.int64]) -> Iterator[slice]:
    """Slices of rows with at most `_MOST_PAIRS` pairs each, or of one row."""
    start, end = 0, len(before) - 1
    while start < end:
        stop = int(np.searchsorted(before, before[start] + _MOST_PAIRS, side="right")) - 1
        stop = min(max(stop, start + 1), end)
        yield slice(start, stop)
        start = stop

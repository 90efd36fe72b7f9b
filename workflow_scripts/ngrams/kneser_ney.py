"""Interpolated modified Kneser-Ney models over token ids, estimated in two ways that share their smoothing.

- Coded: an n-gram is one integer. Its tokens are the digits to the base of vocabulary + 1, the newest last. The extra
  digit means a position before the first token of a row. Counts of portions can be added and subtracted, as the
  measures of whole sets do. 63 bits hold 5 tokens of a vocabulary of 6,000, or 4 of one of 55,000.
- Numbered: an n-gram is the number of its history and its newest token, so any order and vocabulary fits. The numbers
  depend on the text, so counts of two texts cannot be combined.

They differ in one detail, kept because recorded numbers depend on it. An n-gram that occurs only at the start of rows
counts for the next lower order in the numbered way, as defined. In the coded way it does not, because each order is
made from the n-grams that the next higher one kept. Otherwise both give the same probabilities.

References: Kneser and Ney, "Improved backing-off for m-gram language modeling", ICASSP 1995; Chen and Goodman, "An
empirical study of smoothing techniques for language modeling", Computer Speech and Language 13 (1999), sections 3 and
4.1.6. The Python packages do not suffice: `kenlm` only reads models that another program has estimated. `nltk` has one
discount and needs minutes for each million tokens.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.ngrams.lookup import looked_up

Model = dict[str, np.ndarray]
"""For each order n, sorted: n-grams with their probability after the discount (`grams<n>`, `kept<n>`), and histories
with the weight of the next lower order (`histories<n>`, `backoff<n>`)."""

USUAL_DISCOUNTS = np.array([0.5, 1.0, 1.5])
"""Discounts of n-grams seen once, twice, and more often, used if there are too few rare n-grams to estimate them."""
UNSEEN = -1
EMPTY_HISTORY = 0


def ngrams(input_ids: np.ndarray, n_tokens: np.ndarray, order: int, vocabulary_size: int) -> np.ndarray:
    """The n-gram that ends at each real token."""
    is_real = np.arange(input_ids.shape[1])[None, :] < n_tokens[:, None]
    return ngrams_at(input_ids, is_real, order, vocabulary_size)


def ngrams_at(input_ids: np.ndarray, ends: np.ndarray, order: int, vocabulary_size: int) -> np.ndarray:
    """The n-gram that ends at each place where `ends` (rows, length) is true."""
    base = vocabulary_size + 1
    ids = np.pad(input_ids.astype(np.int64), ((0, 0), (order - 1, 0)), constant_values=base - 1)
    length = input_ids.shape[1]
    codes = np.zeros(input_ids.shape, dtype=np.int64)
    for start in range(order):
        codes = codes * base + ids[:, start : start + length]
    return codes[ends]


def counted(portions: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Different n-grams, sorted, and their counts. Memory: one portion, and 16 bytes per different n-gram, twice."""
    grams, counts = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    for portion in portions:
        new, new_counts = np.unique(portion, return_counts=True)
        merged = np.concatenate([grams, new])
        order = np.argsort(merged, kind="stable")  # linear, as both halves are sorted
        merged, summands = merged[order], np.concatenate([counts, new_counts])[order]
        first = np.flatnonzero(np.diff(merged, prepend=-1))
        grams, counts = merged[first], np.add.reduceat(summands, first)
    return grams, counts


def fit(grams: np.ndarray, counts: np.ndarray, order: int, vocabulary_size: int) -> Model:
    """A model of the n-grams within rows.

    The highest order discounts counts; each lower one discounts the number of different tokens before an n-gram.
    The lowest is interpolated with the uniform distribution.
    """
    base = vocabulary_size + 1
    is_whole = grams // base ** (order - 1) != base - 1
    grams, counts = grams[is_whole], counts[is_whole]
    if not len(grams):
        raise ValueError(f"no row has as many as {order} tokens")
    model: Model = {}
    for n in range(order, 0, -1):
        histories, first = np.unique(grams // base, return_index=True)
        kept, backoff = _smoothed(counts, first)
        model |= {f"grams{n}": grams, f"kept{n}": kept, f"histories{n}": histories, f"backoff{n}": backoff}
        grams, counts = np.unique(grams % base ** (n - 1), return_counts=True)
    return model


def probabilities(model: Model, wanted: np.ndarray, order: int, vocabulary_size: int) -> np.ndarray:
    """p(newest token | the others) of n-grams; positions before the row's start do not count as history."""
    base = vocabulary_size + 1
    p = np.full(len(wanted), 1 / vocabulary_size)
    for n in range(1, order + 1):
        grams = wanted % base**n
        backoff = looked_up(model[f"histories{n}"], model[f"backoff{n}"], grams // base, otherwise=1)
        p = looked_up(model[f"grams{n}"], model[f"kept{n}"], grams) + backoff * p
    return p


@dataclass(frozen=True)
class _Order:
    """The n-grams of one order, numbered in the order of (number of the history, newest token)."""

    keys: NDArray[np.int64]
    kept: NDArray[np.float64]
    backoff: NDArray[np.float64]
    """By number of the history: the weight of the next lower order."""


class KneserNey:
    """p(token | up to `order` - 1 tokens before it), estimated from separate rows.

    Orders longer than every row are left out. Memory: about 200 bytes per token during estimation.
    """

    def __init__(self, rows: Sequence[np.ndarray], vocabulary_size: int, order: int):
        self.vocabulary_size = vocabulary_size
        tokens, place = _joined(rows)
        if not len(tokens):
            raise ValueError("there are no tokens to count")
        self._orders: list[_Order] = []
        numbers = np.full(
            len(tokens), EMPTY_HISTORY, dtype=np.int32
        )  # by position: of the shorter n-gram there
        histories, keys = 1, np.zeros(0, dtype=np.int64)
        for n in range(1, min(order, int(place.max()) + 1) + 1):
            ends = np.flatnonzero(place >= n - 1)
            history = numbers[ends] if n == 1 else numbers[ends - 1]
            longer, first, inverse = np.unique(
                history.astype(np.int64) * vocabulary_size + tokens[ends],
                return_index=True,
                return_inverse=True,
            )
            if n > 1:
                # One position per n-gram is enough: it counts once for the shorter n-gram that it ends with.
                before = np.bincount(numbers[ends[first]], minlength=len(keys))
                self._orders.append(self._smoothed_order(keys, before, histories))
                histories = len(keys)
            keys = longer
            numbers = np.full(len(tokens), UNSEEN, dtype=np.int32)
            numbers[ends] = inverse
        counts = np.bincount(numbers[numbers != UNSEEN], minlength=len(keys))
        self._orders.append(self._smoothed_order(keys, counts, histories))

    def _smoothed_order(self, keys: np.ndarray, counts: np.ndarray, histories: int) -> _Order:
        found, first = np.unique(keys // self.vocabulary_size, return_index=True)
        kept, backoff = _smoothed(counts, first)
        by_history = np.ones(histories)
        by_history[found] = backoff
        return _Order(keys, kept, by_history)

    def log_probabilities(self, rows: Sequence[np.ndarray]) -> list[NDArray[np.float64]]:
        """For each row: natural logarithm of the probability of each token given those before it in the row."""
        tokens, place = _joined(rows)
        p = np.full(len(tokens), 1 / self.vocabulary_size)
        numbers = np.full(len(tokens), EMPTY_HISTORY)
        for n, order in enumerate(self._orders, start=1):
            history = numbers if n == 1 else np.where(place >= n - 1, np.roll(numbers, 1), UNSEEN)
            key = np.where(history != UNSEEN, history * self.vocabulary_size + tokens, UNSEEN)
            numbers = looked_up(order.keys, np.arange(len(order.keys)), key, otherwise=UNSEEN)
            kept = np.where(numbers != UNSEEN, order.kept[numbers], 0)
            p = kept + np.where(history != UNSEEN, order.backoff[history], 1) * p
        return np.split(np.log(p), np.cumsum([len(row) for row in rows])[:-1])


def _joined(rows: Sequence[np.ndarray]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All tokens in one array, and the place of each within its row."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    tokens = np.concatenate([np.zeros(0, dtype=np.int64), *rows], dtype=np.int64)
    starts = np.cumsum(lengths) - lengths
    return tokens, np.arange(len(tokens)) - np.repeat(starts, lengths)


def _smoothed(counts: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each n-gram its probability after the discount, for each history the weight of lower orders.

    N-grams are sorted by history; `first` is where those of each history begin. An n-gram that no longer n-gram
    ends with has a count of 0: it was seen only at the start of rows.
    """
    taken = np.minimum(np.append(0, _discounts(counts))[np.minimum(counts, 3)], counts)
    per_history = np.diff(np.append(first, len(counts)))
    totals = np.add.reduceat(counts, first)
    kept = (counts - taken) / np.repeat(np.maximum(totals, 1), per_history)
    backoff = np.add.reduceat(taken, first) / np.maximum(totals, 1)
    return kept, np.where(totals > 0, backoff, 1)


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Chen and Goodman's three discounts, from how many n-grams have counts of 1 to 4."""
    n1, n2, n3, n4 = (np.count_nonzero(counts == count) for count in (1, 2, 3, 4))
    if 0 in (n1, n2, n3):
        return USUAL_DISCOUNTS
    y = n1 / (n1 + 2 * n2)
    found = np.array([1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return found if (found > 0).all() else USUAL_DISCOUNTS

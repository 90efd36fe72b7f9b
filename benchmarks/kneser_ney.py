"""An n-gram model with modified Kneser-Ney smoothing over token ids: what a trained model has to be better than.

Interpolated, with three discounts for each order. The highest order is made of counts, each lower one of how many
different tokens were seen before an n-gram. References: Kneser and Ney, "Improved backing-off for m-gram language
modeling", ICASSP 1995; Chen and Goodman, "An empirical study of smoothing techniques for language modeling", Computer
Speech and Language 13 (1999), sections 3 and 4.1.6. The Python packages for it do less: `kenlm` reads models that
another program has estimated, and `nltk` has one discount and takes minutes for each million tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
UNSEEN = -1
FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where too few n-grams occur once to four times to estimate them."""


@dataclass(frozen=True)
class _Order:
    """The n-grams of one order, numbered in the order of (number of the history, last token)."""

    keys: Ids
    counts: Ids
    totals: Ids
    """By history: the sum of the counts of its n-grams."""
    kept_back: NDArray[np.float64]
    """By history: the sum of the discounts of its n-grams."""
    discounts: NDArray[np.float64]
    """By count: 0, 1, 2, and 3 or more."""


class KneserNey:
    """p(token | up to `order` - 1 tokens before it), estimated from rows that are not joined."""

    def __init__(self, rows: Sequence[np.ndarray], vocabulary: int, order: int = 5):
        self.vocabulary = vocabulary
        tokens, place = _joined(rows)
        keys: list[Ids] = []
        numbers: list[Ids] = []  # by order: of the n-gram that ends at each position
        for n in range(1, order + 1):
            history = np.zeros_like(tokens) if n == 1 else _before(numbers[-1])
            exists = place >= n - 1
            key = history * vocabulary + tokens
            keys.append(np.unique(key[exists]))
            numbers.append(np.where(exists, np.searchsorted(keys[-1], key), UNSEEN))
        self._orders: list[_Order] = []
        for n in range(1, order + 1):
            of_order = numbers[n - 1][place >= n - 1]
            if n < order:
                # One position for each different n-gram that is longer by a token before it.
                _, first = np.unique(numbers[n], return_index=True)
                of_order = numbers[n - 1][first[numbers[n][first] != UNSEEN]]
            counts = np.bincount(of_order, minlength=len(keys[n - 1]))
            histories = 1 if n == 1 else len(keys[n - 2])
            self._orders.append(_order(keys[n - 1], counts, histories, vocabulary))

    def log_probabilities(self, row: np.ndarray) -> NDArray[np.float64]:
        """Natural logarithm of the probability of each token given those before it in the row."""
        tokens = np.asarray(row, dtype=np.int64)
        p = np.full(len(tokens), 1 / self.vocabulary)
        number = np.full(len(tokens), UNSEEN)
        for n, order in enumerate(self._orders):
            history = np.zeros_like(tokens) if n == 0 else _before(number)
            is_known = (history != UNSEEN) & (np.arange(len(tokens)) >= n)
            history = np.where(is_known, history, 0)
            key = history * self.vocabulary + tokens
            at = np.minimum(np.searchsorted(order.keys, key), len(order.keys) - 1)
            number = np.where(is_known & (order.keys[at] == key), at, UNSEEN)
            count = np.where(number != UNSEEN, order.counts[at], 0)
            total = np.where(is_known, order.totals[history], 0)
            own = count - order.discounts[np.minimum(count, 3)] + order.kept_back[history] * p
            p = np.where(total > 0, own / np.maximum(total, 1), p)
        return np.log(p)


def _joined(rows: Sequence[np.ndarray]) -> tuple[Ids, Ids]:
    """All tokens in one array, and the place of each within its row."""
    tokens = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    return tokens, np.concatenate([np.arange(len(row)) for row in rows])


def _before(numbers: Ids) -> Ids:
    """By position: the number of the n-gram that ends at the position before."""
    shifted = np.roll(numbers, 1)
    shifted[:1] = UNSEEN
    return shifted


def _order(keys: Ids, counts: Ids, histories: int, vocabulary: int) -> _Order:
    discounts = _discounts(counts)
    history = keys // vocabulary
    kept_back = np.bincount(history, weights=discounts[np.minimum(counts, 3)], minlength=histories)
    return _Order(
        keys,
        counts,
        np.bincount(history, weights=counts, minlength=histories).astype(np.int64),
        kept_back.astype(np.float64),
        discounts,
    )


def _discounts(counts: Ids) -> NDArray[np.float64]:
    """Chen and Goodman's estimates from how many n-grams occur once, twice, three and four times."""
    once, twice, thrice, four = (int((counts == times).sum()) for times in (1, 2, 3, 4))
    if not (once and twice and thrice and four):
        return np.array([0.0, *FALLBACK])
    y = once / (once + 2 * twice)
    estimated = (1 - 2 * y * twice / once, 2 - 3 * y * thrice / twice, 3 - 4 * y * four / thrice)
    if any(not 0 <= discount <= times for times, discount in enumerate(estimated, start=1)):
        return np.array([0.0, *FALLBACK])
    return np.array([0.0, *estimated])

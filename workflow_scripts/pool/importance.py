"""How much likelier words and word pairs are in the target than in the pool: log-ratios in hashed buckets.

    weight(g) = log p_target(b(g)) - log p_pool(b(g)),      b(g) the bucket of g, of 2^20

over unigrams and bigrams, as in DSIR (Xie et al., "Data Selection for Language Models via Importance Resampling", arXiv
2302.03169). Both sides are smoothed, because a target may have a hundred rows:

    p_pool(b)   = (c_pool(b) + s / 2^20) / (N_pool + s),      s the buckets that occur once in the pool's sample
    p_target(b) = (c_target(b) + m p_pool(b)) / (N_target + m)

s / N_pool is Good and Turing's estimate of the share of unseen n-grams (Good, Biometrika 40, 1953). A bucket that is
missing in the target has the weight log(m / (N_target + m)), however rare it is in the pool. The mass m maximises the
likelihood of each half of the target's rows given the other half.

The score of a row with n unigrams and bigrams is the sum of their weights divided by n + 30: the mean, shrunk towards 0
for short rows. DSIR uses the sum, for rows of equal length; it prefers long rows (docs/results/selecting.md).

Weights are integers in units of 1/65,536, so that the sum of a row does not depend on the order of additions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.texts.portions import portions
from workflow_scripts.texts.words import Hashes, Words, find_words, ngrams, whole

BUCKET_BITS = 20
UNIT = 1 << 16
ORDERS = (1, 2)
SHRINKAGE = 30
"""N-grams of weight 0 that are added to each row."""

RULE = (
    "mean log-ratio of the probabilities of hashed words and word pairs in the target and in the pool, "
    f"with {SHRINKAGE} n-grams of weight 0 added to each row"
)

_SHIFT = np.uint64(64 - BUCKET_BITS)
# Masses tried, as shares of the target's n-grams.
_MASSES = tuple(2.0**power for power in range(-6, 7))
_PORTION_BYTES = 1 << 20


@dataclass(frozen=True)
class NgramImportance:
    """The scorer of a pool: one integer weight for each bucket."""

    weights: NDArray[np.int32]
    mass: float
    """m, as a share of the target's n-grams."""

    rule: ClassVar[str] = RULE

    def scores(self, texts: Sequence[bytes], words: Words) -> NDArray[np.float64]:
        """See `scoring.Scorer`."""
        sums, counts = self.sums(words)
        return sums / (UNIT * (counts + SHRINKAGE))

    def sums(self, words: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each text, the sum of the weights of its n-grams in units of 1/65,536, and the number of n-grams."""
        lengths = words.counts()
        totals = np.zeros(len(lengths), dtype=np.int64)
        for order in ORDERS:
            found = self.weights[buckets(ngrams(words, order))].astype(np.int64)
            if order > 1:
                found[~whole(words, order)] = 0
            running = np.concatenate([[0], np.cumsum(found)])
            bounds = np.minimum(words.starts, len(found))
            totals += np.diff(running[bounds])
        return totals, sum((np.maximum(lengths - order + 1, 0) for order in ORDERS), np.zeros_like(lengths))


def buckets(hashes: Hashes) -> NDArray[np.int64]:
    return (hashes >> _SHIFT).astype(np.int64)


def fit(target: Sequence[bytes], pool: Iterable[bytes]) -> NgramImportance:
    """The scorer of a target, given as texts, over a pool, given as a sample of its texts."""
    counts = counted(pool)
    background = counts + max(int((counts == 1).sum()), 1) / len(counts)
    background /= background.sum()
    halves = [counted(target[half::2]) for half in (0, 1)]
    counts = halves[0] + halves[1]
    seen = np.flatnonzero(counts)
    seen_halves, seen_background = [half[seen] for half in halves], background[seen]
    mass = max(_MASSES, key=lambda tried: _held_out(seen_halves, seen_background, tried))
    ratios = np.log(_smoothed(counts, background, mass) / background)
    return NgramImportance(np.rint(ratios * UNIT).astype(np.int32), mass)


def counted(texts: Iterable[bytes]) -> NDArray[np.float64]:
    """How often n-grams of each bucket occur."""
    counts = np.zeros(1 << BUCKET_BITS)
    for portion in portions(texts, _PORTION_BYTES):
        words = find_words(portion)
        for order in ORDERS:
            found = ngrams(words, order)[whole(words, order)]
            counts += np.bincount(buckets(found), minlength=len(counts))
    return counts


def _smoothed(counts: np.ndarray, background: np.ndarray, mass: float) -> NDArray[np.float64]:
    """p_target; the background's value if the target has no n-gram."""
    total = max(counts.sum(), 1)
    return (counts + mass * total * background) / (total * (1 + mass))


def _held_out(halves: Sequence[np.ndarray], background: np.ndarray, mass: float) -> float:
    first, second = halves
    return float(
        second @ np.log(_smoothed(first, background, mass))
        + first @ np.log(_smoothed(second, background, mass))
    )

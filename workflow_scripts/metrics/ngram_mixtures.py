"""Scores many targets with Witten-Bell models of many mixtures; computes what does not depend on the weights once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from workflow_scripts.metrics.base import MIXTURES_AT_ONCE, Features
from workflow_scripts.metrics.token_counts import shared_vocabulary, sparse_counts


@dataclass(frozen=True)
class _Order:
    """The targets' n-grams of one order, and their counts in the units.

    An n-gram is scored at this order if some unit contains its history. Counts are sparse matrices, one row per unit.
    """

    lower: np.ndarray  # index of each n-gram, without its oldest token, in the next lower order
    read: np.ndarray  # indices of the n-grams that are scored at this order
    history: np.ndarray  # index of the history of each of those
    found: np.ndarray  # indices within `read` of the n-grams that occur in some unit
    counts: sparse.csr_matrix  # of `found`
    followers: sparse.csr_matrix  # counts of every n-gram that follows one of the histories
    by_history: sparse.csr_matrix  # n-grams x histories: adds up what follows one history
    totals: sparse.csr_matrix  # of the histories
    counted: (
        np.ndarray
    )  # indices within `read` of the n-grams that some target scores at this order, and not at a higher one
    weights: sparse.csr_matrix  # targets x `counted`: how often each occurs in a target


class MixtureReader:
    """Scores batches of the targets with the model of any mixture of some units.

    Gives the same values as `compare` with mixed features. If no unit contains the history of an n-gram, its
    probability equals that of the n-gram without the oldest token, so it is counted at the lower order.
    """

    def __init__(
        self, units: Sequence[Features], targets: Sequence[Features], order: int, vocabulary_size: int
    ):
        self.base = vocabulary_size + 1
        self.uniform = 1 / vocabulary_size
        grams = [np.zeros(1, dtype=np.int64)]
        grams += [shared_vocabulary(targets, f"grams{n}") for n in range(1, order + 1)]
        weights = sparse_counts(targets, f"counts{order}", grams[order], f"grams{order}")
        self.tokens = np.asarray(weights.sum(axis=1)).ravel()
        self.orders: list[_Order] = []
        for n in range(order, 0, -1):
            known = shared_vocabulary(units, f"grams{n}")
            histories = np.intersect1d(known // self.base, grams[n] // self.base)
            is_read = np.isin(grams[n] // self.base, histories)
            lower = np.searchsorted(grams[n - 1], grams[n] % self.base ** (n - 1))
            wanted = slice(None) if n < order else is_read  # nothing builds on the highest order
            of_read = weights[:, is_read].tocsr()
            counted = np.flatnonzero(of_read.getnnz(axis=0))
            self.orders.insert(
                0,
                _Order(
                    lower=lower[wanted],
                    read=np.flatnonzero(is_read[wanted]),
                    counted=counted,
                    weights=of_read[:, counted],
                    **self._known(units, n, known, histories, grams[n][is_read]),
                ),
            )
            unread = weights[:, ~is_read].tocoo()
            weights = sparse.csr_matrix(
                (unread.data, (unread.row, lower[~is_read][unread.col])),
                shape=(len(targets), len(grams[n - 1])),
            )

    def _known(
        self, units: Sequence[Features], n: int, known: np.ndarray, histories: np.ndarray, read: np.ndarray
    ) -> dict[str, Any]:
        """Counts in the units of some histories, and of the n-grams that are scored after them."""
        known = known[np.isin(known // self.base, histories)]
        followers = sparse_counts(units, f"counts{n}", known, f"grams{n}")
        owner = np.searchsorted(histories, known // self.base)
        by_history = sparse.csr_matrix(
            (np.ones(len(known)), (np.arange(len(known)), owner)), shape=(len(known), len(histories))
        )
        found = np.flatnonzero(np.isin(read, known))
        return {
            "history": np.searchsorted(histories, read // self.base),
            "found": found,
            "counts": followers[:, np.searchsorted(known, read[found])],
            "followers": followers,
            "by_history": by_history,
            "totals": followers @ by_history,
        }

    def scores(self, weights: np.ndarray) -> np.ndarray:
        """Minus the cross-entropy of every target under each mixture (a row of weights), in nats per token."""
        portions = np.split(weights, range(MIXTURES_AT_ONCE, len(weights), MIXTURES_AT_ONCE))
        return np.concatenate([self._portion(sparse.csr_matrix(portion)) for portion in portions])

    def _portion(self, weights: sparse.csr_matrix) -> np.ndarray:
        """Scores of some mixtures; each contains few of the units, so sums run over only these."""
        known = [
            [
                (weights @ order.totals).toarray(),
                ((weights @ order.followers).sign() @ order.by_history).toarray(),
                (weights @ order.counts).toarray(),
            ]
            for order in self.orders
        ]
        return np.array(
            [
                self._score([[table[i] for table in of_order] for of_order in known])
                for i in range(weights.shape[0])
            ]
        )

    def _score(self, known: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
        """Scores of one mixture, from totals and followers of histories and counts of n-grams for each order."""
        p, summed = np.array([self.uniform]), np.zeros(len(self.tokens))
        for order, (totals, followers, counts) in zip(self.orders, known, strict=True):
            is_seen = totals > 0
            scale = np.divide(1, totals + followers, out=np.zeros(len(totals)), where=is_seen)
            p = p[order.lower]
            read = p[order.read] * np.where(is_seen, followers * scale, 1)[order.history]
            read[order.found] += counts * scale[order.history[order.found]]
            p[order.read] = read
            summed += order.weights @ np.log(read[order.counted])
        return summed / self.tokens

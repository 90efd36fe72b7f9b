"""Witten-Bell models of many mixtures read many targets; what does not depend on the shares is computed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from workflow_scripts.metrics.base import Features
from workflow_scripts.metrics.token_counts import shared_vocabulary

_LARGEST_SHARE = 1 - 2**-53  # keeps the logarithm finite where a part is the whole mixture


def absence(shares: np.ndarray) -> np.ndarray:
    """log(1 - share): times a count, the log probability that a mixed batch holds none of these n-grams."""
    return np.log1p(-np.minimum(shares, _LARGEST_SHARE))


@dataclass(frozen=True)
class _Order:
    """The targets' n-grams of one order, and what the parts know of them.

    An n-gram is read at this order if some part has seen its history. Counts are sparse matrices with one column
    per part.
    """

    lower: np.ndarray  # place of each n-gram, without its oldest token, in the next lower order
    read: np.ndarray  # places of the n-grams that are read at this order
    history: np.ndarray  # place of the history of each of those
    found: np.ndarray  # places among `read` of the n-grams that some part holds
    counts: sparse.csr_matrix  # of `found`
    followers: sparse.csr_matrix  # counts of every n-gram that follows one of the histories
    by_history: sparse.csr_matrix  # sums over the n-grams of one history
    totals: sparse.csr_matrix  # of the histories
    weights: sparse.csr_matrix  # targets x `read`: how often a target reads each of them at this order


class MixtureReader:
    """Reads batches of the targets with the model of any mixture of one batch of each part.

    Gives what `compare` gives for a mixed feature. Where no part has seen the history of an n-gram, its
    probability is that of the n-gram without the oldest token, so it is counted at the lower order.
    """

    def __init__(
        self, parts: Sequence[Features], targets: Sequence[Features], order: int, vocabulary_size: int
    ):
        self.base = vocabulary_size + 1
        self.uniform = 1 / vocabulary_size
        grams = [np.zeros(1, dtype=np.int64)]
        grams += [shared_vocabulary(targets, f"grams{n}") for n in range(1, order + 1)]
        weights = _counts(targets, order, grams[order])
        self.tokens = np.asarray(weights.sum(axis=1)).ravel()
        self.orders: list[_Order] = []
        for n in range(order, 0, -1):
            known = shared_vocabulary(parts, f"grams{n}")
            histories = np.intersect1d(known // self.base, grams[n] // self.base)
            is_read = np.isin(grams[n] // self.base, histories)
            lower = np.searchsorted(grams[n - 1], grams[n] % self.base ** (n - 1))
            wanted = slice(None) if n < order else is_read  # nothing builds on the highest order
            self.orders.insert(
                0,
                _Order(
                    lower=lower[wanted],
                    read=np.flatnonzero(is_read[wanted]),
                    weights=weights[:, is_read].tocsr(),
                    **self._known(parts, n, known, histories, grams[n][is_read]),
                ),
            )
            unread = weights[:, ~is_read].tocoo()
            weights = sparse.csr_matrix(
                (unread.data, (unread.row, lower[~is_read][unread.col])),
                shape=(len(targets), len(grams[n - 1])),
            )

    def _known(
        self, parts: Sequence[Features], n: int, known: np.ndarray, histories: np.ndarray, read: np.ndarray
    ) -> dict[str, Any]:
        """What the parts hold of some histories, and of the n-grams that are read after them."""
        known = known[np.isin(known // self.base, histories)]
        followers = _counts(parts, n, known).T.tocsr()
        owner = np.searchsorted(histories, known // self.base)
        by_history = sparse.csr_matrix(
            (np.ones(len(known)), (owner, np.arange(len(known)))), shape=(len(histories), len(known))
        )
        found = np.flatnonzero(np.isin(read, known))
        return {
            "history": np.searchsorted(histories, read // self.base),
            "found": found,
            "counts": followers[np.searchsorted(known, read[found])],
            "followers": followers,
            "by_history": by_history,
            "totals": (by_history @ followers).tocsr(),
        }

    def scores(self, shares: np.ndarray) -> np.ndarray:
        """Minus the cross-entropy of every target under the mixture with these shares, in nats per token."""
        log_absent = absence(shares)
        p, summed = np.array([self.uniform]), np.zeros(len(self.tokens))
        for order in self.orders:
            totals = order.totals @ shares
            followers = order.by_history @ -np.expm1(order.followers @ log_absent)
            is_seen = totals > 0
            scale = np.divide(1, totals + followers, out=np.zeros(len(totals)), where=is_seen)
            p = p[order.lower]
            read = p[order.read] * np.where(is_seen, followers * scale, 1)[order.history]
            read[order.found] += (order.counts @ shares) * scale[order.history[order.found]]
            p[order.read] = read
            summed += order.weights @ np.log(read)
        return summed / self.tokens


def _counts(batches: Sequence[Features], n: int, grams: np.ndarray) -> sparse.csr_matrix:
    """Batches as rows, n-grams as columns; n-grams that are not among `grams` are left out."""
    rows, columns, values = [], [], []
    for row, batch in enumerate(batches):
        column = np.searchsorted(grams, batch[f"grams{n}"])
        is_among = np.append(grams, -1)[column] == batch[f"grams{n}"]
        rows.append(np.full(is_among.sum(), row))
        columns.append(column[is_among])
        values.append(batch[f"counts{n}"][is_among].astype(float))
    return sparse.csr_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
        shape=(len(batches), len(grams)),
    )

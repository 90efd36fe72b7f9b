"""One minus the Jensen-Shannon divergence of the batches' token distributions."""

from collections.abc import Sequence

import numpy as np
from scipy.special import xlogy

from workflow_scripts.metrics.base import Batch, Features, Metric
from workflow_scripts.metrics.token_counts import (
    dense_counts,
    shared_vocabulary,
    sparse_counts,
)


class UnigramJS(Metric):
    """1 - JS(p, q) with JS(p, q) = H((p + q) / 2) - (H(p) + H(q)) / 2 in bits, from 0 (no common token) to 1.

    p and q are relative frequencies of token ids, unsmoothed. Reference: Lin, "Divergence measures based on
    the Shannon entropy", IEEE Transactions on Information Theory 37 (1991).
    """

    name = "unigram_js"
    needs = ("rows",)
    answers = True
    mixes = "exact"

    def features(self, batch: Batch) -> Features:
        assert batch.rows is not None
        ids, counts = np.unique(batch.rows.input_ids[batch.compared], return_counts=True)
        return {"ids": ids, "frequencies": counts / counts.sum()}

    def compare(self, source: Features, target: Features) -> float:
        return float(self.table([source], [target])[0, 0])

    def table(self, sources: Sequence[Features], targets: Sequence[Features]) -> np.ndarray:
        vocabulary = shared_vocabulary([*sources, *targets])
        p = dense_counts(sources, "frequencies", vocabulary)
        q = dense_counts(targets, "frequencies", vocabulary)
        mixed = np.array([_entropy((row + q) / 2) for row in p])
        return 1 - (mixed - (_entropy(p)[:, None] + _entropy(q)[None, :]) / 2)

    def mix(self, units: Sequence[Features], weights: np.ndarray) -> Features:
        vocabulary = shared_vocabulary(units)
        return {
            "ids": vocabulary,
            "frequencies": weights @ sparse_counts(units, "frequencies", vocabulary),
        }

    def mixture_table(
        self, units: Sequence[Features], weights: np.ndarray, targets: Sequence[Features]
    ) -> np.ndarray:
        """Visits only the target's tokens for each pair: elsewhere only the mixture's term is nonzero."""
        vocabulary = shared_vocabulary([*units, *targets])
        p = sparse_counts(units, "frequencies", vocabulary).T @ weights.T
        alone = xlogy(p / 2, p / 2)
        all_alone = alone.sum(axis=0)
        entropy = -xlogy(p, p).sum(axis=0) / np.log(2)
        values = np.empty((len(weights), len(targets)))
        for column, target in zip(values.T, targets, strict=True):
            its = np.searchsorted(vocabulary, target["ids"])
            q = target["frequencies"]
            both = (p[its] + q[:, None]) / 2
            mixed = all_alone - alone[its].sum(axis=0) + (both * np.log(both)).sum(axis=0)
            column[:] = 1 + mixed / np.log(2) + (entropy + _entropy(q)) / 2
        return values


def _entropy(p: np.ndarray) -> np.ndarray:
    """In bits, over the last axis."""
    return -xlogy(p, p).sum(axis=-1) / np.log(2)

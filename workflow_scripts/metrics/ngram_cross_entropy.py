"""A small language model of the source reads the target: minus the cross-entropy of a trigram model."""

from typing import Any

import numpy as np

from workflow_scripts.metrics.base import Batch, Features, Metric

ORDER = 3


class NgramCrossEntropy(Metric):
    """Mean over the target's tokens of log p(w | h), in nats, p a trigram model of the source batch.

    Interpolated Witten-Bell smoothing: with c counts and t(h) the number of different tokens that follow h,
    p(w | h) = (c(h w) + t(h) p(w | h')) / (c(h) + t(h)), h' being h without its oldest token, down to the
    uniform distribution over the vocabulary. It is the one measure with a direction. References: Witten and
    Bell, "The zero-frequency problem", IEEE Transactions on Information Theory 37 (1991); Chen and Goodman,
    "An empirical study of smoothing techniques for language modeling", Computer Speech and Language 13
    (1999).
    """

    name = "ngram_cross_entropy"
    symmetric = False
    needs = ("rows", "vocabulary")

    def parameters(self) -> dict[str, Any]:
        return {"vocabulary_size": self.resources.vocabulary_size}

    def features(self, batch: Batch) -> Features:
        """For each order the different n-grams, sorted, with their counts, and the same of their histories.

        An n-gram is one integer, its tokens the digits to the base of vocabulary + 1; the last digit value
        stands for the places before the first token of a row.
        """
        assert batch.rows is not None
        base = self.resources.vocabulary_size + 1
        ids = batch.rows.input_ids.astype(np.int64)
        padded = np.pad(ids, ((0, 0), (ORDER - 1, 0)), constant_values=base - 1)
        real = batch.rows.attention_mask
        features: Features = {}
        history = np.zeros_like(ids)
        for order in range(1, ORDER + 1):
            if order > 1:
                start = ORDER - order
                history = history + padded[:, start : start + ids.shape[1]] * base ** (order - 2)
            grams, counts = np.unique((history * base + ids)[real], return_counts=True)
            features |= {f"grams{order}": grams, f"counts{order}": counts}
            histories, first = np.unique(grams // base, return_index=True)
            features |= {
                f"histories{order}": histories,
                f"totals{order}": np.add.reduceat(counts, first),
                f"followers{order}": np.diff(np.append(first, len(grams))),
            }
        return features

    def compare(self, source: Features, target: Features) -> float:
        base = self.resources.vocabulary_size + 1
        grams, counts = target[f"grams{ORDER}"], target[f"counts{ORDER}"]
        p = np.full(len(grams), 1 / self.resources.vocabulary_size)
        for order in range(1, ORDER + 1):
            suffix = grams % base**order
            count = _looked_up(source[f"grams{order}"], source[f"counts{order}"], suffix)
            histories = source[f"histories{order}"]
            total = _looked_up(histories, source[f"totals{order}"], suffix // base)
            followers = _looked_up(histories, source[f"followers{order}"], suffix // base)
            seen = total > 0
            p = np.where(seen, (count + followers * p) / np.where(seen, total + followers, 1), p)
        return float((counts * np.log(p)).sum() / counts.sum())


def _looked_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values by key, 0 where there is no such key."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)

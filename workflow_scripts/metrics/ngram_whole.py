"""Minus the cross-entropy of the target under a Kneser-Ney bigram model of the whole training set."""

from typing import Any, ClassVar

import numpy as np

from workflow_scripts.metrics.base import Batch, Features, Metric
from workflow_scripts.ngrams.kneser_ney import counted, fit, ngrams_at, probabilities


class NgramWhole(Metric):
    """Mean over the target's tokens of log p(w | h), in nats, where p is a Kneser-Ney model of all rows of the source.

    A set's own batches are scored with a model of all rows except those of the batch. For answers, n-grams count if
    they end within one; the prompt is history.
    """

    name = "ngram_whole"
    symmetric = False
    needs: ClassVar[tuple[str, ...]] = ("rows", "whole", "vocabulary")
    answers = True
    has_scale = False
    mixes = "experts"
    order: ClassVar[int] = 2

    def parameters(self) -> dict[str, Any]:
        return {"vocabulary_size": self.resources.vocabulary_size, "order": self.order}

    def features(self, batch: Batch) -> Features:
        size = self.resources.vocabulary_size
        portions = batch.token_portions()
        grams, counts = counted(ngrams_at(ids, compared, self.order, size) for ids, compared in portions)
        return self._model(grams, counts)

    def _model(self, grams: np.ndarray, counts: np.ndarray) -> Features:
        model = fit(grams, counts, self.order, self.resources.vocabulary_size)
        return {"grams": grams, "counts": counts, **model}

    def without(self, whole: Features, batch: Features) -> Features:
        counts = whole["counts"].copy()
        counts[np.searchsorted(whole["grams"], batch["grams"])] -= batch["counts"]
        return self._model(whole["grams"][counts > 0], counts[counts > 0])

    def compare(self, source: Features, target: Features) -> float:
        return float(self.score(self.expert(source, target), target))

    def expert(self, source: Features, target: Features) -> np.ndarray:
        return probabilities(source, target["grams"], self.order, self.resources.vocabulary_size)

    def score(self, expected: np.ndarray, target: Features) -> np.ndarray:
        return np.log(expected) @ target["counts"] / target["counts"].sum()

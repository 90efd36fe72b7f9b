"""The corrected measure of the paper: distance of Fisher embeddings, all coordinates."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from workflow_scripts.metrics.base import Batch, Features, Metric


class Task2Vec(Metric):
    """1 - d(a, b) with d(a, b) = 1 - cos(a / (a + b), b / (a + b)), without coordinates that are zero twice.

    a and b are diagonals of the probe's Fisher information on two batches, by the estimator `corrected`.
    Reference: Achille et al., "Task2Vec: Task Embedding for Meta-Learning", ICCV 2019.
    """

    name = "task2vec"
    needs: ClassVar[tuple[str, ...]] = ("embeddings:corrected",)
    answers: ClassVar[bool] = True
    epsilon: ClassVar[float | None] = None  # of the distance; None is the relative form
    mixes: ClassVar[Literal["exact", "experts", "mean"]] = "exact"

    def features(self, batch: Batch) -> Features:
        assert batch.embedding is not None
        return {"embedding": batch.embedding}

    def compare(self, source: Features, target: Features) -> float:
        return float(self.table([source], [target])[0, 0])

    def mix(self, units: Sequence[Features], weights: np.ndarray) -> Features:
        """The Fisher information per token of a mixture is the weighted mean of that of its parts."""
        embeddings = np.stack([unit["embedding"] for unit in units])
        return {"embedding": weights.astype(embeddings.dtype) @ embeddings}

    def table(self, sources: Sequence[Features], targets: Sequence[Features]) -> np.ndarray:
        from workflow_scripts.fisher.distance import distance_matrix

        return 1 - distance_matrix(
            np.stack([source["embedding"] for source in sources]),
            np.stack([target["embedding"] for target in targets]),
            epsilon=self.epsilon,
        )

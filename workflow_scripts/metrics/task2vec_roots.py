"""Compares the square roots of the corrected embeddings, so small batches suffice."""

from collections.abc import Sequence

import numpy as np

from workflow_scripts.metrics.base import Features
from workflow_scripts.metrics.task2vec import Task2Vec


class Task2VecRoots(Task2Vec):
    """cos(sqrt(a), sqrt(b)), the overlap of two diagonals of Fisher information scaled to sum one.

    The quotients of `task2vec` give every coordinate the same weight, even that of a token that occurs only once.
    Roots weigh a coordinate by its information. Reference: Bhattacharyya, "On a
    measure of divergence between two statistical populations", Bulletin of the Calcutta Mathematical Society 35
    (1943).
    """

    name = "task2vec_roots"

    def table(self, sources: Sequence[Features], targets: Sequence[Features]) -> np.ndarray:
        first, second = (
            np.sqrt(np.stack([one["embedding"] for one in batches]), dtype=np.float64)
            for batches in (sources, targets)
        )
        # The squared length of a root is the sum of the embedding.
        lengths = np.sqrt((first**2).sum(axis=1)[:, None] * (second**2).sum(axis=1))
        overlap = first @ second.T
        return np.divide(overlap, lengths, out=np.zeros_like(overlap), where=lengths > 0)

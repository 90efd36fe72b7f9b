"""What a measure of alignment is: features of a batch, and a number for two batches."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from workflow_scripts.tokens.rows import Rows

Features = dict[str, np.ndarray]


@dataclass(frozen=True)
class Batch:
    """One batch of a set: what a metric may see of it, as far as its `needs` ask for it."""

    n_rows: int
    n_tokens: int
    rows: Rows | None = None
    texts: tuple[str, ...] | None = None  # the decoded rows
    embedding: np.ndarray | None = None  # diagonal of the Fisher information

    @property
    def content(self) -> dict[str, Any]:
        """All that features can depend on, to name them by; ids of rows and documents are no part of it."""
        if self.embedding is not None:
            return {"embedding": self.embedding}
        if self.texts is not None:
            return {"texts": list(self.texts)}
        assert self.rows is not None
        return {"input_ids": self.rows.input_ids, "n_tokens": self.rows.n_tokens}

    @property
    def length(self) -> int:
        """Numbers of the embedding, or tokens of a row."""
        if self.embedding is not None:
            return len(self.embedding)
        assert self.rows is not None
        return self.rows.length


@dataclass(frozen=True)
class Resources:
    """What metrics use besides batches; each takes what its `needs` name."""

    vocabulary_size: int = 0
    probe: Path | None = None
    encoder: str | None = None
    threads: int = 1


class Metric(ABC):
    """One measure of alignment; higher always means more alike.

    `needs` holds one source of batches, "rows", "text" or "embeddings:<estimator>", and may add "vocabulary",
    "probe" or "encoder". `version` is raised whenever features or comparisons change their value, because
    finished pieces are kept under it.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    symmetric: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]]

    def __init__(self, resources: Resources):
        self.resources = resources

    def parameters(self) -> dict[str, Any]:
        """What values depend on besides the batches, as JSON: part of the name of finished pieces."""
        return {}

    @abstractmethod
    def features(self, batch: Batch) -> Features:
        """What comparisons need of one batch."""

    @abstractmethod
    def compare(self, source: Features, target: Features) -> float:
        """Alignment of two batches."""

    def table(self, sources: Sequence[Features], targets: Sequence[Features]) -> np.ndarray:
        """Alignment of every source batch (rows) with every target batch (columns)."""
        return np.array([[self.compare(source, target) for target in targets] for source in sources])

    @classmethod
    def estimator(cls) -> str | None:
        """Name of the Fisher estimator whose embeddings it compares; None for a metric of rows or texts."""
        for need in cls.needs:
            if need.startswith("embeddings:"):
                return need.removeprefix("embeddings:")
        return None

"""The interface of a measure of alignment: features of a batch, and a number for two batches."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from workflow_scripts.tokens.rows import Rows, answer_portions, portions_key, token_portions

Features = dict[str, np.ndarray]

MIXTURES_AT_ONCE = 64


@dataclass(frozen=True)
class Batch:
    """One batch of a set, with the fields that a metric's `needs` request.

    For pairs, either whole rows are compared or only the tokens of the answers. Prompts are present in both cases.
    """

    n_rows: int
    n_tokens: int
    rows: Rows | None = None
    texts: tuple[str, ...] | None = None  # the decoded rows, or the answers in them
    embedding: np.ndarray | None = None  # diagonal of the Fisher information
    whole: Path | None = None  # file of a whole set, read in portions
    answers: bool = False  # only tokens of answers are compared, and `n_tokens` counts them

    @property
    def content(self) -> dict[str, Any]:
        """Everything that features can depend on, used as their key; without ids of rows and documents."""
        if self.whole is not None:
            return {"whole": portions_key(self.whole, self.answers)}
        if self.embedding is not None:
            return {"embedding": self.embedding}
        if self.texts is not None:
            return {"texts": list(self.texts)}
        assert self.rows is not None
        # Rows without prompts have the same key for both parts, so nothing is computed twice.
        marked = {"answers": self.rows.loss_mask} if self.answers else {}
        return {"input_ids": self.rows.input_ids, "n_tokens": self.rows.n_tokens, **marked}

    @property
    def compared(self) -> np.ndarray:
        """(rows, length) bool: true on the tokens that are compared."""
        assert self.rows is not None
        return self.rows.loss_mask if self.answers else self.rows.attention_mask

    @property
    def length(self) -> int:
        """Coordinates of the embedding, or tokens of a row."""
        if self.embedding is not None:
            return len(self.embedding)
        assert self.rows is not None
        return self.rows.length

    def token_portions(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Token ids of some rows at a time, and which of them are compared."""
        if self.whole is None:
            assert self.rows is not None
            yield self.rows.input_ids, self.compared
        elif self.answers:
            for (ids, _), (is_answer, _) in zip(
                token_portions(self.whole), answer_portions(self.whole), strict=True
            ):
                yield ids, is_answer
        else:
            for ids, n_tokens in token_portions(self.whole):
                yield ids, np.arange(ids.shape[1])[None, :] < n_tokens[:, None]


@dataclass(frozen=True)
class Resources:
    """What metrics use besides batches; each uses those that its `needs` name."""

    vocabulary_size: int = 0
    probe: Path | None = None
    encoder: str | None = None
    threads: int = 1
    device: str = "cpu"  # of the probe or encoder; auto takes a GPU if one is visible


class Metric(ABC):
    """One measure of alignment; higher always means more alike.

    `needs` holds one source of batches, "rows", "text" or "embeddings:<estimator>", and may add "vocabulary",
    "probe" or "encoder", or "whole": then the source is one batch of all rows of a set. Raise `version`
    whenever features or comparisons change their value, because stored pieces are named by it.

    `mixes` says how the alignment of a mixture follows from its parts:
    - "exact": `mix` computes the features of a mixed batch from those of its rows;
    - "mean": the mean of the parts' alignments;
    - "experts": the metric is a language model, and the mixture's probabilities are the weighted mean of the parts'.
    `mixes_by` says how features combine: as means over "tokens", or as sums over "rows".

    `answers` says that it can compare only the answers of pairs: a metric of rows then uses `Batch.compared`.
    `has_scale` is False if two real texts can be less alike than either is to random tokens. Random tokens are then
    no lower end of a scale (docs/method/metrics.md).
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    symmetric: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]]
    answers: ClassVar[bool] = False
    mixes: ClassVar[Literal["exact", "experts", "mean"]] = "mean"
    mixes_by: ClassVar[Literal["tokens", "rows"]] = "tokens"
    has_scale: ClassVar[bool] = True

    def __init__(self, resources: Resources):
        self.resources = resources

    @classmethod
    def missing(cls, encoder: str | None) -> str | None:
        """An optional package that is not installed, and how to install it; None if nothing is missing."""
        return None

    def parameters(self) -> dict[str, Any]:
        """Parameters other than the batches on which values depend, as JSON; part of the key of stored pieces."""
        return {}

    @abstractmethod
    def features(self, batch: Batch) -> Features:
        """Features of one batch, the input of comparisons."""

    @abstractmethod
    def compare(self, source: Features, target: Features) -> float:
        """Alignment of two batches."""

    def table(self, sources: Sequence[Features], targets: Sequence[Features]) -> np.ndarray:
        """Alignment of every source batch (rows) with every target batch (columns)."""
        return np.array([[self.compare(source, target) for target in targets] for source in sources])

    def mix(self, units: Sequence[Features], weights: np.ndarray) -> Features:
        """Features of a batch made of smaller ones, as `compare` takes them for a source.

        Weights are shares of the batch's tokens; if the metric mixes by rows, 1 for each unit of the batch.
        """
        raise NotImplementedError(f"metric {self.name} has no features of mixtures")

    def mixture_table(
        self, units: Sequence[Features], weights: np.ndarray, targets: Sequence[Features]
    ) -> np.ndarray:
        """`table` of many mixtures, one per row of `weights`; metrics override it for speed."""
        portions = np.split(weights, range(MIXTURES_AT_ONCE, len(weights), MIXTURES_AT_ONCE))
        return np.concatenate(
            [self.table([self.mix(units, row) for row in portion], targets) for portion in portions]
        )

    def without(self, whole: Features, batch: Features) -> Features:
        """Features of a whole set without one of its batches: the set's model then has not seen this batch."""
        raise NotImplementedError(f"metric {self.name} has no features of whole sets")

    def expert(self, source: Features, target: Features) -> np.ndarray:
        """The source's probability of each different n-gram of the target."""
        raise NotImplementedError(f"metric {self.name} has no probabilities")

    def score(self, expected: np.ndarray, target: Features) -> np.ndarray:
        """Alignment of models with the target, from their probabilities of its n-grams; one model per row."""
        raise NotImplementedError(f"metric {self.name} has no probabilities")

    @classmethod
    def reads_whole_sets(cls) -> bool:
        """Whether a source is a whole set instead of batches."""
        return "whole" in cls.needs

    @classmethod
    def runs_model(cls) -> bool:
        """Whether its features come from a model, which a GPU makes faster; not whether it compares embeddings."""
        return cls.estimator() is None and not {"probe", "encoder"}.isdisjoint(cls.needs)

    @classmethod
    def estimator(cls) -> str | None:
        """Name of the Fisher estimator whose embeddings it compares; None for a metric of rows or texts."""
        for need in cls.needs:
            if need.startswith("embeddings:"):
                return need.removeprefix("embeddings:")
        return None

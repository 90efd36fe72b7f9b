"""What a measure of alignment is: features of a batch, and a number for two batches."""

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
    """One batch of a set: what a metric may see of it, as far as its `needs` ask for it.

    Of pairs, either whole rows are compared or only the tokens of the answers; then prompts are there to be read.
    """

    n_rows: int
    n_tokens: int
    rows: Rows | None = None
    texts: tuple[str, ...] | None = None  # the decoded rows, or the answers in them
    embedding: np.ndarray | None = None  # diagonal of the Fisher information
    whole: Path | None = None  # the file of a whole set, which is read in portions
    answers: bool = False  # only tokens of answers are compared, and `n_tokens` counts them

    @property
    def content(self) -> dict[str, Any]:
        """All that features can depend on, to name them by; ids of rows and documents are no part of it."""
        if self.whole is not None:
            return {"whole": portions_key(self.whole, self.answers)}
        if self.embedding is not None:
            return {"embedding": self.embedding}
        if self.texts is not None:
            return {"texts": list(self.texts)}
        assert self.rows is not None
        # Rows without prompts are named alike for both parts, so that nothing is computed twice.
        marked = {"answers": self.rows.loss_mask} if self.answers else {}
        return {"input_ids": self.rows.input_ids, "n_tokens": self.rows.n_tokens, **marked}

    @property
    def compared(self) -> np.ndarray:
        """(rows, length) bool: true on the tokens that are compared."""
        assert self.rows is not None
        return self.rows.loss_mask if self.answers else self.rows.attention_mask

    @property
    def length(self) -> int:
        """Numbers of the embedding, or tokens of a row."""
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
    """What metrics use besides batches; each takes what its `needs` name."""

    vocabulary_size: int = 0
    probe: Path | None = None
    encoder: str | None = None
    threads: int = 1


class Metric(ABC):
    """One measure of alignment; higher always means more alike.

    `needs` holds one source of batches, "rows", "text" or "embeddings:<estimator>", and may add "vocabulary",
    "probe" or "encoder", or "whole": then the source is one batch of all rows of a set. `version` is raised
    whenever features or comparisons change their value, because finished pieces are kept under it.

    `mixes` says how the alignment of a mixture follows from its parts: "exact" where the features of a batch
    follow from those of its rows, so that `mix` gives the features of a mixed batch; "mean", the mean of the
    parts' alignments, where they do not; "experts" where the metric is a language model, and the mixture's is
    the weighted mean of the parts' probabilities. `mixes_by` says how: features are means over "tokens", or they are
    added up over "rows".

    `answers` says that it can compare only the answers of pairs: a metric of rows then goes by `Batch.compared`.
    `has_scale` is False where real texts can be less alike than random tokens are to either, so that these mark no
    lower end (docs/method/metrics.md).
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
        """An optional package that is not installed, and how to install it; None where nothing is missing."""
        return None

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

    def mix(self, units: Sequence[Features], weights: np.ndarray) -> Features:
        """Features of a batch made of smaller ones, as `compare` takes them for a source.

        Weights are shares of the batch's tokens, or, where the metric mixes by rows, 1 for each unit of the batch.
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
        """Features of a whole set but for one of its batches, so that a set does not read what it was made of."""
        raise NotImplementedError(f"metric {self.name} has no features of whole sets")

    def expert(self, source: Features, target: Features) -> np.ndarray:
        """The source's probability of each different n-gram of the target."""
        raise NotImplementedError(f"metric {self.name} has no probabilities")

    def score(self, expected: np.ndarray, target: Features) -> np.ndarray:
        """Alignment with the target of the models that give its n-grams these probabilities, one model per row."""
        raise NotImplementedError(f"metric {self.name} has no probabilities")

    @classmethod
    def reads_whole_sets(cls) -> bool:
        """Whether a source is all rows of a set instead of its batches."""
        return "whole" in cls.needs

    @classmethod
    def estimator(cls) -> str | None:
        """Name of the Fisher estimator whose embeddings it compares; None for a metric of rows or texts."""
        for need in cls.needs:
            if need.startswith("embeddings:"):
                return need.removeprefix("embeddings:")
        return None

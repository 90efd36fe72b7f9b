"""Features of batches and tables of batch pairs, each computed once and stored under a hash of its inputs.

A set has one file of tables, by the other set. Features of rows and texts are not stored, only their seconds: counting
those of a set again takes milliseconds. Features from a model have a file per batch.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from workflow_scripts.metrics.base import Batch, Features, Metric
from workflow_scripts.storage.content_store import ContentStore, content_key
from workflow_scripts.storage.piece_files import PieceFiles

logger = logging.getLogger(__name__)

SECONDS = "seconds"  # stored with the features from a model: how long they took
# Pieces of a set's file besides its tables: seconds of the features of its batches, and of those of all its rows.
OF_BATCHES, OF_WHOLE = "features", "whole"
FROM = "from."  # in the name of a table that is in the file of its target
_NO_VALUES = np.zeros(0)


class FeaturedSet:
    """A set with the features of its batches, which are computed when they are first needed."""

    def __init__(self, pieces: "Pieces", name: str, batches: Sequence[Batch], whole: Batch | None):
        self._pieces = pieces
        self.name = name
        self.batches = batches
        self.whole = whole  # all rows of the set, for metrics that read whole sets
        self.batch_keys = [pieces.key(piece="features", **batch.content) for batch in batches]
        self.key = content_key(batches=self.batch_keys)
        self.whole_key = pieces.key(piece="whole", **whole.content) if whole else None
        # Equal keys of the batches say that a target is part of the source, so its file is named by both.
        of_whole = {"whole": self.whole_key} if self.whole_key else {}
        self.file = pieces.key(piece="tables", source=self.key, **of_whole)
        self._computed: tuple[list[Features], float] | None = None

    @property
    def features(self) -> list[Features]:
        """Features of every batch."""
        if self._computed is None:
            self._computed = self._pieces.features(self)
        return self._computed[0]

    @property
    def seconds(self) -> float:
        """Seconds that the features of the batches took when they were first computed."""
        kept = self._pieces.files.get(self.file, OF_BATCHES)
        if kept is not None:
            return kept[1]
        if self._computed is None:
            self._computed = self._pieces.features(self)
        self._pieces.files.put(self.file, OF_BATCHES, _NO_VALUES, self._computed[1])
        return self._computed[1]


@dataclass
class Pieces:
    """Computes pieces that are not in the store yet, and counts computed and reused tables of pairs."""

    metric: Metric
    store: ContentStore
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("pairs", "pairs_reused"), 0))

    def __post_init__(self) -> None:
        self.files = PieceFiles(self.store)
        self._last_whole: tuple[str | None, Features] = (None, {})
        self._name = {
            "metric": self.metric.name,
            "version": self.metric.version,
            "parameters": self.metric.parameters(),
        }

    @contextmanager
    def saved(self) -> Iterator[None]:
        """Stores what the block computes, also if it ends with an error, and logs how much was reused."""
        try:
            yield
        finally:
            self.files.save()
        logger.info("pairs: computed %d, reused %d", self.counts["pairs"], self.counts["pairs_reused"])

    def key(self, **parts: object) -> str:
        """The key of a piece of this metric."""
        return content_key(**self._name, **parts)

    def featured(self, name: str, batches: Sequence[Batch], whole: Batch | None = None) -> FeaturedSet:
        """A set whose features can be asked for."""
        return FeaturedSet(self, name, batches, whole)

    def features(self, one: FeaturedSet) -> tuple[list[Features], float]:
        """Features of every batch of a set, and their seconds."""
        found = [self._of_batch(key, batch) for key, batch in zip(one.batch_keys, one.batches, strict=True)]
        return [features for features, _ in found], sum(seconds for _, seconds in found)

    def unit_features(self, units: Sequence[Batch]) -> list[Features]:
        """Features of the units from which batches are assembled, often thousands of single rows."""
        if self._from_model:
            return [self._of_batch(self.key(piece="features", **unit.content), unit)[0] for unit in units]
        return [self.metric.features(unit) for unit in units]

    @property
    def _from_model(self) -> bool:
        return bool({"probe", "encoder"} & set(self.metric.needs))

    def _of_batch(self, key: str, batch: Batch) -> tuple[Features, float]:
        """Features of a batch and their seconds; an embedding has a file and seconds of its own."""
        kept = self.store.get(key) if self._from_model else None
        if kept is None:
            started = time.perf_counter()
            features = dict(self.metric.features(batch))
            seconds = time.perf_counter() - started if batch.embedding is None else 0.0
            if self._from_model:
                self.store.put(key, {**features, SECONDS: np.array([seconds])})
            return features, seconds
        return kept, float(kept.pop(SECONDS)[0])

    def whole_features(self, source: FeaturedSet) -> Features:
        """Features of all rows of a set. Only those of the last set are kept: they are large and quickly recomputed."""
        assert source.whole is not None and source.whole_key is not None
        if self._last_whole[0] != source.whole_key:
            self._last_whole = (None, {})  # memory holds one set at a time
            started = time.perf_counter()
            features = self.metric.features(source.whole)
            if self.files.get(source.file, OF_WHOLE) is None:
                self.files.put(source.file, OF_WHOLE, _NO_VALUES, time.perf_counter() - started)
            self._last_whole = (source.whole_key, features)
        return self._last_whole[1]

    def whole_seconds(self, source: FeaturedSet) -> float:
        """Seconds that the features of all rows of a set took."""
        if source.whole_key is None:
            return 0.0
        kept = self.files.get(source.file, OF_WHOLE)
        if kept is None:
            self.whole_features(source)
            kept = self.files.get(source.file, OF_WHOLE)
            assert kept is not None
        return kept[1]

    def table(
        self, source: FeaturedSet, target: FeaturedSet, owner: FeaturedSet | None = None
    ) -> tuple[np.ndarray, float]:
        """Alignment of every source batch with every target batch, and the seconds it cost.

        A new table is stored in the file of its owner, one of the two sets; by default the source. A symmetric metric
        is computed and stored for only one order of the two sets, which does not depend on their names.
        """
        is_symmetric = self.metric.symmetric
        turned = is_symmetric and source.key > target.key
        of_source = source.file, target.key
        of_target = target.file, source.key if is_symmetric else f"{FROM}{source.file}"
        kept = self.files.get(*of_source) or self.files.get(*of_target)
        if kept is None:
            kept = self._computed(*((target, source) if turned else (source, target)))
            self.files.put(*(of_target if owner is target else of_source), *kept)
            self.counts["pairs"] += 1
        else:
            self.counts["pairs_reused"] += 1
        values, seconds = kept
        return values.T if turned else values, seconds

    def _computed(self, source: FeaturedSet, target: FeaturedSet) -> tuple[np.ndarray, float]:
        whole = self.whole_features(source) if source.whole is not None else None
        of_source, of_target = source.features if whole is None else [whole], target.features
        started = time.perf_counter()
        if whole is not None and source.key == target.key:
            rest = (self.metric.without(whole, batch) for batch in of_target)
            pairs = zip(rest, of_target, strict=True)
            values = np.array([[self.metric.compare(one, batch) for one, batch in pairs]])
        else:
            values = np.asarray(self.metric.table(of_source, of_target), dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"{self.metric.name} of {source.name} and {target.name} is not finite")
        return values, time.perf_counter() - started

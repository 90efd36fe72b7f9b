"""Features of batches and tables of batch pairs, each computed once and stored under a hash of its inputs."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from workflow_scripts.metrics.base import Batch, Features, Metric
from workflow_scripts.storage.content_store import ContentStore, content_key

logger = logging.getLogger(__name__)

SECONDS = "seconds"  # stored with the arrays of a piece: how long it took to compute


@dataclass(frozen=True)
class FeaturedSet:
    """The features of a set's batches, and a key for all of them together."""

    name: str
    key: str
    features: list[Features]
    seconds: float
    whole: Batch | None = None  # all rows of the set, for metrics that read whole sets
    whole_key: str | None = None


@dataclass
class Pieces:
    """Computes pieces that are not in the store yet, and counts computed and reused ones."""

    metric: Metric
    store: ContentStore
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("features", "features_reused", "pairs", "pairs_reused"), 0)
    )

    def __post_init__(self) -> None:
        self._last_whole: tuple[str | None, Features] = (None, {})
        self._name = {
            "metric": self.metric.name,
            "version": self.metric.version,
            "parameters": self.metric.parameters(),
        }

    def featured(self, name: str, batches: Sequence[Batch], whole: Batch | None = None) -> FeaturedSet:
        """Features of every batch of a set."""
        keys = [content_key(**self._name, piece="features", **batch.content) for batch in batches]
        features, seconds = [], 0.0
        for key, batch in zip(keys, batches, strict=True):
            one, cost = self._features(key, batch)
            features.append(one)
            seconds += cost
        whole_key = content_key(**self._name, piece="whole", **whole.content) if whole else None
        return FeaturedSet(name, content_key(batches=keys), features, seconds, whole, whole_key)

    def unit_features(self, units: Sequence[Batch]) -> list[Features]:
        """Features of the units from which batches are assembled, often thousands of single rows.

        Counting so little text is faster than reading counts from a file, so only features from a model are stored.
        """
        if {"probe", "encoder"} & set(self.metric.needs):
            return self.featured("units", units).features
        return [self.metric.features(unit) for unit in units]

    def whole_features(self, source: FeaturedSet) -> Features:
        """Features of all rows of a set. Only those of the last set are kept: they are large and quickly recomputed."""
        assert source.whole is not None and source.whole_key is not None
        if self._last_whole[0] != source.whole_key:
            self._last_whole = (None, {})  # memory holds one set at a time
            started = time.perf_counter()
            features = self.metric.features(source.whole)
            self.store.put(source.whole_key, {SECONDS: np.array([time.perf_counter() - started])})
            self._last_whole = (source.whole_key, features)
        return self._last_whole[1]

    def whole_seconds(self, source: FeaturedSet) -> float:
        """Seconds that the features of all rows of a set took."""
        if source.whole_key is None:
            return 0.0
        kept = self.store.get(source.whole_key)
        if kept is None:
            self.whole_features(source)
            kept = self.store.get(source.whole_key)
            assert kept is not None
        return float(kept[SECONDS][0])

    def _features(self, key: str, batch: Batch) -> tuple[Features, float]:
        if batch.embedding is not None:  # the expensive part is the embedding, which has its own file
            self.counts["features_reused"] += 1
            return self.metric.features(batch), 0.0
        kept = self.store.get(key)
        if kept is None:
            started = time.perf_counter()
            kept = dict(self.metric.features(batch))
            kept[SECONDS] = np.array([time.perf_counter() - started])
            self.store.put(key, kept)
            self.counts["features"] += 1
        else:
            self.counts["features_reused"] += 1
        return kept, float(kept.pop(SECONDS)[0])

    def table(self, source: FeaturedSet, target: FeaturedSet) -> tuple[np.ndarray, float]:
        """Alignment of every source batch with every target batch, and the seconds it cost.

        A symmetric metric is computed for only one order of the two sets, which does not depend on their names.
        """
        if self.metric.symmetric and source.key > target.key:
            table, seconds = self.table(target, source)
            return table.T, seconds
        source_key = {"source": source.key}
        if (
            source.whole_key is not None
        ):  # equal keys of the batches say that the target is part of the source
            source_key["whole"] = source.whole_key
        key = content_key(**self._name, piece="pairs", target=target.key, **source_key)
        kept = self.store.get(key)
        if kept is None:
            whole = self.whole_features(source) if source.whole is not None else None
            started = time.perf_counter()
            values = np.asarray(self._values(source, target, whole), dtype=np.float64)
            if not np.isfinite(values).all():
                raise ValueError(f"{self.metric.name} of {source.name} and {target.name} is not finite")
            kept = {"values": values, SECONDS: np.array([time.perf_counter() - started])}
            self.store.put(key, kept)
            self.counts["pairs"] += 1
        else:
            self.counts["pairs_reused"] += 1
        return kept["values"], float(kept[SECONDS][0])

    def _values(self, source: FeaturedSet, target: FeaturedSet, whole: Features | None) -> np.ndarray:
        if whole is None:
            return self.metric.table(source.features, target.features)
        if source.key != target.key:
            return self.metric.table([whole], target.features)
        rest = (self.metric.without(whole, batch) for batch in target.features)
        return np.array(
            [[self.metric.compare(one, batch) for one, batch in zip(rest, target.features, strict=True)]]
        )

    def log_counts(self) -> None:
        logger.info(
            "features: computed %d, reused %d; pairs: computed %d, reused %d",
            *(self.counts[name] for name in ("features", "features_reused", "pairs", "pairs_reused")),
        )

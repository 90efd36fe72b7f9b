"""Minus the cross-entropy of the target under a trigram model of the source."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workflow_scripts.metrics.base import Batch, Features, Metric, Resources
from workflow_scripts.metrics.ngram_mixtures import MixtureReader
from workflow_scripts.metrics.token_counts import shared_vocabulary, sparse_counts
from workflow_scripts.ngrams.lookup import looked_up

ORDER = 3


@dataclass(frozen=True)
class _SourceOrder:
    """The n-grams of one order and their histories in some sources, sorted; counts have a row per source.

    The last column of each is zero, for n-grams and histories that occur in no source.
    """

    grams: np.ndarray
    histories: np.ndarray
    counts: np.ndarray
    totals: np.ndarray
    followers: np.ndarray

    @classmethod
    def of(cls, sources: Sequence[Features], order: int) -> "_SourceOrder":
        grams = shared_vocabulary(sources, f"grams{order}")
        histories = shared_vocabulary(sources, f"histories{order}")

        def dense(values: str, ids: str, columns: np.ndarray) -> np.ndarray:
            table = np.zeros((len(sources), len(columns) + 1))
            for row, source in zip(table, sources, strict=True):
                row[np.searchsorted(columns, source[f"{ids}{order}"])] = source[f"{values}{order}"]
            return table

        return cls(
            grams,
            histories,
            dense("counts", "grams", grams),
            dense("totals", "histories", histories),
            dense("followers", "histories", histories),
        )

    def place(self, wanted: np.ndarray, key: str) -> np.ndarray:
        """Columns of some n-grams or histories."""
        known = self.grams if key.startswith("grams") else self.histories
        found = np.searchsorted(known, wanted)
        return np.where(known[np.minimum(found, len(known) - 1)] == wanted, found, len(known))


class NgramCrossEntropy(Metric):
    """Mean over the target's tokens of log p(w | h), in nats, where p is a trigram model of the source batch.

    Interpolated Witten-Bell smoothing: with counts c and t(h) the number of different tokens that follow h,
    p(w | h) = (c(h w) + t(h) p(w | h')) / (c(h) + t(h)), h' being h without its oldest token, down to the
    uniform distribution over the vocabulary. It is the only asymmetric measure of batches. References: Witten and
    Bell, "The zero-frequency problem", IEEE Transactions on Information Theory 37 (1991); Chen and Goodman,
    "An empirical study of smoothing techniques for language modeling", Computer Speech and Language 13
    (1999).
    """

    name = "ngram_cross_entropy"
    version = 2
    symmetric = False
    needs = ("rows", "vocabulary")
    answers = True
    has_scale = False
    mixes = "exact"
    mixes_by = "rows"

    def __init__(self, resources: Resources):
        super().__init__(resources)
        # Keeps the sources of the last comparison, because one set is compared with many others.
        self._read: tuple[Sequence[Features], list[_SourceOrder]] = ((), [])

    def parameters(self) -> dict[str, Any]:
        return {"vocabulary_size": self.resources.vocabulary_size}

    def features(self, batch: Batch) -> Features:
        """For each order: the different n-grams, sorted, with their counts; their histories; their endings.

        An n-gram is one integer, its tokens the digits to the base of vocabulary + 1; the largest digit means a
        position before the first token of a row. N-grams with the same history are adjacent, `followers` of them.
        `endings` is the index, in the next lower order, of an n-gram without its oldest token. For answers, n-grams
        count if they end within one; the prompt is history.
        """
        assert batch.rows is not None
        base = self.resources.vocabulary_size + 1
        ids = batch.rows.input_ids.astype(np.int64)
        padded = np.pad(ids, ((0, 0), (ORDER - 1, 0)), constant_values=base - 1)
        compared = batch.compared
        features: Features = {}
        history = np.zeros_like(ids)
        for order in range(1, ORDER + 1):
            if order > 1:
                start = ORDER - order
                history = history + padded[:, start : start + ids.shape[1]] * base ** (order - 2)
            grams, counts = np.unique((history * base + ids)[compared], return_counts=True)
            histories, first = np.unique(grams // base, return_index=True)
            features |= {
                f"grams{order}": grams,
                f"counts{order}": counts,
                f"histories{order}": histories,
                f"totals{order}": np.add.reduceat(counts, first),
                f"followers{order}": np.diff(np.append(first, len(grams))),
            }
            if order > 1:
                lower = features[f"grams{order - 1}"]
                features[f"endings{order}"] = np.searchsorted(lower, grams % base ** (order - 1))
        return features

    def compare(self, source: Features, target: Features) -> float:
        p = np.full(len(target["grams1"]), 1 / self.resources.vocabulary_size)
        for order in range(1, ORDER + 1):
            lower = p[target[f"endings{order}"]] if order > 1 else p
            count = looked_up(source[f"grams{order}"], source[f"counts{order}"], target[f"grams{order}"])
            known, wanted = source[f"histories{order}"], target[f"histories{order}"]
            total, followers = (
                np.repeat(looked_up(known, source[f"{values}{order}"], wanted), target[f"followers{order}"])
                for values in ("totals", "followers")
            )
            seen = total > 0
            p = np.where(seen, (count + followers * lower) / np.where(seen, total + followers, 1), lower)
        counts = target[f"counts{ORDER}"]
        return float((counts * np.log(p)).sum() / counts.sum())

    def table(self, sources: Sequence[Features], targets: Sequence[Features]) -> np.ndarray:
        """As `compare`, but the targets' n-grams are looked up among the sources' only once for all pairs."""
        if self._read[0] is not sources:
            self._read = (sources, [_SourceOrder.of(sources, order) for order in range(1, ORDER + 1)])
        ends = {
            key: np.cumsum([0, *(len(target[key]) for target in targets)])
            for order in range(1, ORDER + 1)
            for key in (f"grams{order}", f"histories{order}")
        }
        places = {
            key: one.place(np.concatenate([target[key] for target in targets]), key)
            for order, one in enumerate(self._read[1], 1)
            for key in (f"grams{order}", f"histories{order}")
        }
        values = np.empty((len(sources), len(targets)))
        for j, target in enumerate(targets):
            place = {key: found[ends[key][j] : ends[key][j + 1]] for key, found in places.items()}
            p = np.full((len(sources), len(target["grams1"])), 1 / self.resources.vocabulary_size)
            for order, one in enumerate(self._read[1], 1):
                lower = p[:, target[f"endings{order}"]] if order > 1 else p
                history = np.repeat(place[f"histories{order}"], target[f"followers{order}"])
                total, followers = one.totals[:, history], one.followers[:, history]
                count = one.counts[:, place[f"grams{order}"]]
                seen = total > 0
                p = np.where(seen, (count + followers * lower) / np.where(seen, total + followers, 1), lower)
            counts = target[f"counts{ORDER}"]
            for i, logs in enumerate(np.log(p)):
                values[i, j] = (counts * logs).sum() / counts.sum()
        return values

    def mix(self, units: Sequence[Features], weights: np.ndarray) -> Features:
        base = self.resources.vocabulary_size + 1
        features: Features = {}
        for order in range(1, ORDER + 1):
            grams = shared_vocabulary(units, f"grams{order}")
            counts = weights @ sparse_counts(units, f"counts{order}", grams, f"grams{order}")
            grams, counts = grams[counts > 0], counts[counts > 0]
            histories, first = np.unique(grams // base, return_index=True)
            features |= {
                f"grams{order}": grams,
                f"counts{order}": counts,
                f"histories{order}": histories,
                f"totals{order}": np.add.reduceat(counts, first),
                f"followers{order}": np.diff(np.append(first, len(grams))),
            }
        return features

    def mixture_table(
        self, units: Sequence[Features], weights: np.ndarray, targets: Sequence[Features]
    ) -> np.ndarray:
        reader = MixtureReader(units, targets, ORDER, self.resources.vocabulary_size)
        return reader.scores(weights)

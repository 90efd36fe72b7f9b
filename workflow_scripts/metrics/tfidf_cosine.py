"""Cosine of the batches' TF-IDF vectors, which give rare words more weight."""

from collections.abc import Sequence

import numpy as np

from workflow_scripts.metrics.base import MIXTURES_AT_ONCE, Batch, Features, Metric
from workflow_scripts.metrics.token_counts import dense_counts, shared_vocabulary, sparse_counts

BUCKETS = 2**20
WORD_OR_SIGN = r"\w+|[^\w\s]"  # signs count, because formal languages consist of them


class TfidfCosine(Metric):
    """cos(f_a * idf, f_b * idf), where f counts the lower-case words and signs in a batch.

    idf(w) = ln((1 + n) / (1 + df(w))) + 1, where df(w) of the n rows of the two batches contain w. Only the pair
    is used, because weights from a whole collection would change with every new corpus. Smoothing as in
    scikit-learn's TfidfTransformer.

    Reference: Salton and Buckley, "Term-weighting approaches in automatic text retrieval", Information Processing and
    Management 24 (1988).
    """

    name = "tfidf_cosine"
    needs = ("text",)
    answers = True
    has_scale = False
    mixes = "exact"
    mixes_by = "rows"

    def features(self, batch: Batch) -> Features:
        from sklearn.feature_extraction.text import HashingVectorizer

        assert batch.texts is not None
        vectorizer = HashingVectorizer(
            n_features=BUCKETS, token_pattern=WORD_OR_SIGN, alternate_sign=False, norm=None
        )
        words = vectorizer.transform(batch.texts)
        ids, place = np.unique(words.indices, return_inverse=True)
        return {
            "ids": ids.astype(np.int64),
            "counts": np.bincount(place, weights=words.data),
            "rows_with": np.bincount(place).astype(np.int32),
            "rows": np.array([words.shape[0]]),
        }

    def compare(self, source: Features, target: Features) -> float:
        return float(self.table([source], [target])[0, 0])

    def table(self, sources: Sequence[Features], targets: Sequence[Features]) -> np.ndarray:
        vocabulary = shared_vocabulary([*sources, *targets])
        a, b = (dense_counts(batches, "counts", vocabulary) for batches in (sources, targets))
        df_a, df_b = (dense_counts(batches, "rows_with", vocabulary) for batches in (sources, targets))
        values = np.empty((len(a), len(b)))
        for i, j in np.ndindex(*values.shape):
            n = sources[i]["rows"][0] + targets[j]["rows"][0]
            idf = np.log((1 + n) / (1 + df_a[i] + df_b[j])) + 1
            weighted, other = a[i] * idf, b[j] * idf
            values[i, j] = weighted @ other / np.sqrt((weighted @ weighted) * (other @ other))
        return values

    def mix(self, units: Sequence[Features], weights: np.ndarray) -> Features:
        vocabulary = shared_vocabulary(units)
        return {
            "ids": vocabulary,
            "counts": weights @ sparse_counts(units, "counts", vocabulary),
            "rows_with": weights @ sparse_counts(units, "rows_with", vocabulary),
            "rows": weights @ np.stack([unit["rows"] for unit in units]),
        }

    def mixture_table(
        self, units: Sequence[Features], weights: np.ndarray, targets: Sequence[Features]
    ) -> np.ndarray:
        """Words that are not in the target have the same weight for all targets with as many rows."""
        vocabulary = shared_vocabulary([*units, *targets])
        counts, rows_with = (sparse_counts(units, key, vocabulary).T for key in ("counts", "rows_with"))
        places = [np.searchsorted(vocabulary, target["ids"]) for target in targets]
        values = np.empty((len(weights), len(targets)))
        for start in range(0, len(weights), MIXTURES_AT_ONCE):
            portion = slice(start, start + MIXTURES_AT_ONCE)
            a, df = counts @ weights[portion].T, rows_with @ weights[portion].T
            rows = weights[portion] @ np.concatenate([unit["rows"] for unit in units])
            # Squares of the weighted counts of words that are not in the target, and their sums.
            squares: dict[int, tuple[np.ndarray, np.ndarray]] = {}
            for j, (target, its) in enumerate(zip(targets, places, strict=True)):
                target_rows = int(target["rows"][0])
                n = rows + target_rows
                if target_rows not in squares:
                    of_words = (a * _idf(n, df)) ** 2
                    squares[target_rows] = of_words, of_words.sum(axis=0)
                elsewhere, sums = squares[target_rows]
                idf = _idf(n, df[its] + target["rows_with"][:, None])
                weighted, other = a[its] * idf, target["counts"][:, None] * idf
                length = sums - elsewhere[its].sum(axis=0) + (weighted**2).sum(axis=0)
                values[portion, j] = (weighted * other).sum(axis=0) / np.sqrt(length * (other**2).sum(axis=0))
        return values


def _idf(n: np.ndarray, rows_with: np.ndarray) -> np.ndarray:
    return np.log((1 + n) / (1 + rows_with)) + 1

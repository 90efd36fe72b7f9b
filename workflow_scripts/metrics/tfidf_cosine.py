"""Words weighted by how rare they are: cosine of the batches' TF-IDF vectors."""

from collections.abc import Sequence

import numpy as np

from workflow_scripts.metrics.base import Batch, Features, Metric
from workflow_scripts.metrics.token_counts import dense_counts, shared_vocabulary

BUCKETS = 2**20
WORD_OR_SIGN = r"\w+|[^\w\s]"  # signs count, since formal languages are made of them


class TfidfCosine(Metric):
    """cos(f_a * idf, f_b * idf), f the counts of lower-case words and signs in a batch.

    idf(w) = ln((1 + n) / (1 + df(w))) + 1, with df the rows that hold w among the n rows of the two
    batches: taken from the pair alone, because weights from a whole collection would change with every
    corpus that joins it. Reference: Salton and Buckley, "Term-weighting approaches in automatic text
    retrieval", Information Processing and Management 24 (1988); smoothing as in scikit-learn's
    TfidfTransformer.
    """

    name = "tfidf_cosine"
    needs = ("text",)

    def features(self, batch: Batch) -> Features:
        from sklearn.feature_extraction.text import HashingVectorizer

        assert batch.texts is not None
        vectorizer = HashingVectorizer(
            n_features=BUCKETS, token_pattern=WORD_OR_SIGN, alternate_sign=False, norm=None
        )
        words = vectorizer.transform(batch.texts).tocsc()
        ids = np.flatnonzero(np.diff(words.indptr))
        return {
            "ids": ids,
            "counts": np.asarray(words.sum(axis=0)).ravel()[ids],
            "rows_with": np.diff(words.indptr)[ids],
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

"""Sparse counts of one batch and dense counts of several, for word and token metrics."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from workflow_scripts.metrics.base import Features


def real_tokens(input_ids: np.ndarray, n_tokens: np.ndarray) -> np.ndarray:
    """The ids of all rows in one array, without padding."""
    return input_ids[np.arange(input_ids.shape[1])[None, :] < n_tokens[:, None]]


def dense_counts(batches: Sequence[Features], values: str, vocabulary: np.ndarray) -> np.ndarray:
    """Batches as rows, `vocabulary` (sorted, with all ids of the batches) as columns."""
    counts = np.zeros((len(batches), len(vocabulary)))
    for row, batch in zip(counts, batches, strict=True):
        row[np.searchsorted(vocabulary, batch["ids"])] = batch[values]
    return counts


def sparse_counts(
    batches: Sequence[Features], values: str, vocabulary: np.ndarray, ids: str = "ids"
) -> sparse.csr_matrix:
    """As `dense_counts`, for many small batches; ids missing from `vocabulary` are left out."""
    all_ids = np.concatenate([batch[ids] for batch in batches])
    columns = np.searchsorted(vocabulary, all_ids)
    is_held = np.append(vocabulary, -1)[columns] == all_ids
    rows = np.repeat(np.arange(len(batches)), [len(batch[ids]) for batch in batches])
    counts = np.concatenate([batch[values] for batch in batches]).astype(float)
    return sparse.csr_matrix(
        (counts[is_held], (rows[is_held], columns[is_held])), shape=(len(batches), len(vocabulary))
    )


def shared_vocabulary(batches: Sequence[Features], ids: str = "ids") -> np.ndarray:
    """All ids of some batches, sorted."""
    return np.unique(np.concatenate([batch[ids] for batch in batches]))

"""Choose the rows of a set's batches."""

import numpy as np


def batch_indices(
    n_rows: int, batches: int, rows_per_batch: int, seed: int, disjoint: bool = True
) -> list[np.ndarray]:
    """Draw batches of rows; requesting more batches does not change the first ones.

    `disjoint=False` is the released behaviour: the same rows in every batch.
    """
    needed = rows_per_batch * (batches if disjoint else 1)
    if n_rows < needed:
        raise ValueError(
            f"{batches} batches of {rows_per_batch} rows need {needed} rows, and the set has {n_rows}; give it more "
            "text, compare fewer rows, or set fewer_rows in the config, which gives such a set smaller batches"
        )
    order = np.random.default_rng(seed).permutation(n_rows)
    starts = [i * rows_per_batch if disjoint else 0 for i in range(batches)]
    return [order[start : start + rows_per_batch] for start in starts]

"""Intervals for the mean of a table of batch pairs; batches are the random draws.

The estimand is the expected alignment of two new batches of this size, one from each set. Pairs that share a batch
are not independent, so the sample size is the number of batches, not of pairs.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over batch pairs and its interval."""

    point: float
    low: float
    high: float


def between_sets(table: np.ndarray) -> Estimate:
    """A table with source batches as rows and target batches as columns; no batch is on both sides.

    SE^2 = var(row means) / N + var(column means) / M, with Welch-Satterthwaite degrees of freedom. The noise of
    single pairs is in both terms, so it is counted twice; this is conservative.
    """
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    parts = np.array([rows.var(ddof=1) / len(rows), columns.var(ddof=1) / len(columns)])
    degrees = np.array([len(rows) - 1, len(columns) - 1])
    square = parts.sum()
    if square == 0:
        return _interval(table.mean(), 0.0, 1.0)
    return _interval(table.mean(), np.sqrt(square), square**2 / (parts**2 / degrees).sum())


def given_source(table: np.ndarray) -> Estimate:
    """One row, a whole set as the source, and target batches as columns: only the target was drawn at random."""
    columns = table[0]
    return _interval(columns.mean(), np.sqrt(columns.var(ddof=1) / len(columns)), len(columns) - 1)


def within_set(table: np.ndarray) -> Estimate:
    """The same batches as rows and columns: mean over pairs of two different batches.

    SE^2 by the jackknife that deletes one batch at a time, (n - 1) / n * sum (m_i - mean m)^2, with n - 1
    degrees of freedom.
    """
    n = len(table)
    off_diagonal = np.where(np.eye(n, dtype=bool), 0.0, table)
    total = off_diagonal.sum()
    without_one = (total - off_diagonal.sum(axis=0) - off_diagonal.sum(axis=1)) / ((n - 1) * (n - 2))
    error = np.sqrt((n - 1) / n * np.sum((without_one - without_one.mean()) ** 2))
    return _interval(total / (n * (n - 1)), error, n - 1)


def _interval(point: float, error: float, degrees: float) -> Estimate:
    half = float(stdtrit(degrees, (1 + CONFIDENCE) / 2)) * float(error)
    return Estimate(float(point), float(point) - half, float(point) + half)

"""How well two rankings of training sets agree, with an interval over batches.

The agreement is Kendall's tau of two tables of alignments (training sets, evaluation sets, source batches, target
batches), averaged over evaluation sets. For its interval, the true means are drawn given the batches, jointly for both
tables, and tau is computed for each draw. A batch of a set is one draw of its rows, the same in both tables, so its
deviations shift all pairs of its set together. Few batches estimate their variance poorly, so draws have the tails of
Student's t.

Noise swaps pairs of nearly equal sets and never makes two rankings agree, so draws are below a true tau near 1. The
upper end is therefore at least the tau that counts only those pairs as swapped that are swapped in 97.5% of the draws.
If it is below 1, the two rankings differ.
`benchmarks/statistics.py --part tau` simulates the coverage.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.statistics.association import NAN

DRAWS = 2_000
MOST_SPLITS = 100
ALL_SPLITS = 8
"""Up to this many batches, all splits into halves are used."""

Tables = NDArray[np.float64]


def mean_tau(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kendall's tau-b of the training sets (second axis from the end), mean over evaluation sets (the last).

    If a ranking has only ties, tau is 0.
    """
    one, other = _orders(first), _orders(second)
    untied = np.sqrt((one**2).sum(axis=-2) * (other**2).sum(axis=-2))
    together = (one * other).sum(axis=-2)
    return np.divide(together, untied, out=np.zeros(together.shape), where=untied > 0).mean(axis=-1)


def _orders(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Which of every two training sets has the larger value, as a sign."""
    pairs = np.array(list(combinations(range(values.shape[-2]), 2)))
    return np.sign(values[..., pairs[:, 0], :] - values[..., pairs[:, 1], :])


def tau_interval(first: Tables, second: Tables, level: float = 0.95) -> tuple[float, float]:
    """Ends of the interval of `mean_tau` of the true means; NaN with fewer than two batches."""
    if min(first.shape[-2:]) < 2 or first.shape[0] < 2:
        return NAN, NAN
    both = np.stack([first, second])
    point = both.mean(axis=(-2, -1))
    rng = np.random.default_rng([0, *first.shape])
    drawn = np.broadcast_to(point, (DRAWS, *point.shape)).copy()
    for axis, letters in ((-1, "rsn,vsen->rvse"), (-2, "ren,vsen->rvse")):
        deviations = both.mean(axis=axis) - point[..., None]
        n = deviations.shape[-1]
        n_sets = first.shape[0] if axis == -1 else first.shape[1]
        inflated = np.sqrt((n - 1) / rng.chisquare(n - 1, size=(DRAWS, n_sets, 1)))
        weights = rng.normal(size=(DRAWS, n_sets, n)) * inflated / np.sqrt(n * (n - 1))
        drawn += np.einsum(letters, weights, deviations, optimize=True)
    agree = _orders(drawn[:, 0]) * _orders(drawn[:, 1])
    low, high = np.quantile(agree.mean(axis=(-2, -1)), [(1 - level) / 2, (1 + level) / 2])
    turned = (agree > 0).mean(axis=0) < (1 - level) / 2
    return float(low), max(float(high), 1 - 2 * float(turned.mean()))


def tau_of_halves(tables: Tables) -> float:
    """Agreement of the rankings by two halves of the batches of every set, mean over the splits."""
    n = min(tables.shape[-2:])
    if n < 2 or tables.shape[0] < 2:
        return NAN
    found = []
    for half in _halves(n):
        rest = [batch for batch in range(n) if batch not in half]
        one, other = (tables[:, :, chosen][:, :, :, chosen].mean(axis=(2, 3)) for chosen in (half, rest))
        found.append(mean_tau(one, other))
    return float(np.mean(found))


def _halves(n: int) -> list[list[int]]:
    """One half of each split; for an even number of batches, the half with the first batch."""
    if n <= ALL_SPLITS:
        return [list(chosen) for chosen in combinations(range(n), n // 2) if n % 2 or 0 in chosen]
    rng = np.random.default_rng(n)
    return [rng.permutation(n)[: n // 2].tolist() for _ in range(MOST_SPLITS)]

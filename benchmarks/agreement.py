"""Coverage of the interval of tau between the rankings of training sets by two tables of alignments.

Means of training sets have a spread; the second table's differ from the first's by `moved` times as much. Batches of
either side add their own deviations, four fifths of which both tables share, with a standard deviation of .01.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.statistics.ranking_agreement import mean_tau, tau_interval

SIZES = ((4, 4, 4), (3, 2, 4), (6, 6, 8))
"""Training sets, evaluation sets, batches."""
SPREADS, MOVED = (0.005, 0.02, 0.1), (0.0, 0.3, 1.0)
NOISE, SHARED = 0.01, 0.8


def study(
    rng: np.random.Generator, size: tuple[int, int, int], spread: float, moved: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Both tables and the agreement of their true means."""
    n_train, n_eval, n = size
    first = spread * rng.normal(size=(n_train, n_eval))
    second = first + moved * spread * rng.normal(size=first.shape)

    def deviations(*shape: int) -> NDArray[np.float64]:
        """For both tables."""
        one, other = rng.normal(size=(2, *shape))
        return NOISE * np.stack([one, SHARED * one + np.sqrt(1 - SHARED**2) * other])

    noise = deviations(n_train, 1, n, 1) + deviations(1, n_eval, 1, n) + deviations(n_train, n_eval, n, n)
    noise = noise + 0.5 * (deviations(n_train, n_eval, n, 1) + deviations(n_train, n_eval, 1, n))
    tables = np.stack([first, second])[..., None, None] + noise
    return tables[0], tables[1], float(mean_tau(first, second))


def lines(studies: int, seed: int) -> Iterator[dict[str, Any]]:
    """One line per size, spread and move: coverage and mean width of 95% intervals."""
    for case, (size, spread, moved) in enumerate(product(SIZES, SPREADS, MOVED)):
        rng = np.random.default_rng([seed, case])
        held, widths = [], []
        for _ in range(studies):
            first, second, truth = study(rng, size, spread, moved)
            low, high = tau_interval(first, second)
            held.append(low - 1e-9 <= truth <= high + 1e-9)
            widths.append(high - low)
        yield {
            "design": f"{size[0]} x {size[1]}, {size[2]} batches",
            "scope": "ranking",
            "method": "tau",
            "spread_over_noise": spread / NOISE,
            "moved": moved,
            "covers": round(float(np.mean(held)), 4),
            "width": round(float(np.mean(widths)), 2),
        }

"""An interval for the mean regret of choosing training data, which is zero on most evaluation sets.

A t interval would mistake the zeros for precision; if every regret is zero, it has no width. Here the evaluation sets
get random weights (Rubin 1981, the Bayesian bootstrap), together with one additional unseen set. For the upper end,
the regret on the unseen set is that of an average blind wrong choice; for the lower end, it is 0 (after Gaffke's bound
for means, whose extra point is at the end of the range). Within this, runs are resampled too. The upper end is not
below that of the t interval.

The lowest of several noisy losses is below the true one, so regrets are too large on average. For the lower end, the
best set is therefore chosen by the other seeds, and its loss is read from the seed that was left out.
`benchmarks/statistics.py --part choice` simulates the coverage.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.statistics.correlation import Grid
from workflow_scripts.statistics.resampling import cluster_resamples

DRAWS = 2_000


@dataclass(frozen=True)
class Regrets:
    """Regrets of one choice, by evaluation set along the last axis."""

    drawn: NDArray[np.float64]
    """With resampled runs."""
    held_out: NDArray[np.float64]
    """In each seed, relative to the set that is best in the others."""
    of_blind_mistake: NDArray[np.float64]
    """Average over all candidates except the best."""
    ranges: NDArray[np.float64]
    """From the best candidate to the worst."""

    def as_fractions(self) -> "Regrets":
        """Regrets divided by the range from the best to the worst."""
        scale = np.where(self.ranges > 0, self.ranges, 1.0)
        parts = (self.drawn, self.held_out, self.of_blind_mistake, self.ranges)
        return Regrets(*(part / scale for part in parts))


def regrets(shares: Grid, losses: NDArray[np.float64]) -> Regrets:
    """Regrets of choosing each candidate with the probability in `shares` (training sets x evaluation sets).

    losses: the first axis is seeds; NaN where a set is not a candidate.
    """
    whole = _mean(losses)
    # With one run each, there is nothing to resample.
    again = whole[None] if len(losses) == 1 else cluster_resamples(losses, DRAWS, 0).losses
    again = np.where(np.isnan(again), whole, again)
    wrong = np.isfinite(whole).sum(axis=0) - 1
    return Regrets(
        drawn=_regret(shares, again),
        held_out=_held_out(shares, losses, whole),
        of_blind_mistake=np.nansum(whole - np.nanmin(whole, axis=0), axis=0) / np.maximum(wrong, 1),
        ranges=np.nanmax(whole, axis=0) - np.nanmin(whole, axis=0),
    )


def interval(found: Regrets, at_least: float, level: float = 0.95) -> tuple[float, float]:
    """Ends of the interval of the mean regret; the upper end is not below `at_least`, that of another interval."""
    n_seeds, n_eval = found.held_out.shape
    rng = np.random.default_rng([0, n_seeds, n_eval])
    weights = rng.dirichlet(np.ones(n_eval + 1), size=DRAWS)
    seen, unseen = weights[:, :-1], weights[:, -1]
    runs = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=DRAWS) / n_seeds
    low = np.quantile((seen * (runs @ found.held_out)).sum(axis=1), (1 - level) / 2)
    high = np.quantile(
        (seen * found.drawn).sum(axis=1) + unseen * found.of_blind_mistake.mean(), (1 + level) / 2
    )
    return max(float(low), 0.0), max(float(high), at_least)


def _held_out(shares: Grid, losses: NDArray[np.float64], whole: Grid) -> NDArray[np.float64]:
    """Regret in each seed relative to the best set of the others, (seeds, E); with one seed, to its own best."""
    if len(losses) < 2:
        return _regret(shares, whole)[None]
    found = []
    for seed in range(len(losses)):
        others = _mean(np.delete(losses, seed, axis=0))
        own = np.where(np.isnan(losses[seed]), whole, losses[seed])
        best = np.nanargmin(np.where(np.isnan(others), whole, others), axis=0)
        found.append(np.nansum(shares * own, axis=0) - own[best, np.arange(own.shape[1])])
    return np.array(found)


def _regret(shares: Grid, loss: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.nansum(shares * loss, axis=-2) - np.nanmin(loss, axis=-2)


def _mean(losses: NDArray[np.float64]) -> Grid:
    """Mean over seeds; NaN if there is none."""
    there = np.isfinite(losses)
    total = np.where(there, losses, 0.0).sum(axis=0)
    return np.divide(total, there.sum(axis=0), out=np.full(total.shape, np.nan), where=there.any(axis=0))

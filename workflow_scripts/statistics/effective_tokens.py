"""Effective tokens of a training set for a target, from alignment only.

    E_j(m) = N_m sum_d share_md k_dj

k_dj is the worth of a token of part d for target j; a token of the target's own part has worth 1. The worth falls with
the gap of alignment g_dj = s_jj - s_dj. s_dj is the alignment of part d with target j, and s_jj that of the target's
own part (or of the target with itself, if no part is its own):

    exponential:  k_dj = exp(-g_dj / tau)
    root:         k_dj = exp(-sqrt(g_dj / tau)), which falls steeply at first: all other domains are worth much less

tau is one number per measure and kernel.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]

# Multiples of a measure's median gap between its own part and the others.
TAU_GRID = tuple(float(2 ** (half / 2)) for half in range(-20, 5))
KERNELS = ("exponential", "root")
# Half of the rounding unit of published shares: a share given as 0 may be this large.
SHARE_FLOOR = 0.0005


@dataclass(frozen=True)
class Runs:
    """Models of one size: shares of their training sets, tokens, and mean losses over seeds."""

    train_sets: tuple[str, ...]
    parts: tuple[str, ...]
    targets: tuple[str, ...]
    shares: Array  # training sets x parts
    tokens: Array  # of each training set
    losses: Array  # training sets x targets

    def own_part(self, target: str) -> int | None:
        """Index of the part from a target's own corpus."""
        return self.parts.index(target) if target in self.parts else None

    @property
    def own_shares(self) -> Array:
        """Share of each target's own part in each training set; NaN for a target without its own part."""
        columns = [self.own_part(target) for target in self.targets]
        nothing = np.full(len(self.shares), np.nan)
        return np.column_stack([nothing if d is None else self.shares[:, d] for d in columns])


@dataclass(frozen=True)
class Gaps:
    """Gaps of alignment s_jj - s_dj of each part d to the own part of each target j, with errors."""

    values: Array  # parts x targets
    errors: Array

    @property
    def median(self) -> float:
        """Median gap of parts other than the target's own."""
        return float(np.median(self.values[self.values != 0]))

    def worth(self, kernel: str, tau: float) -> Array:
        """k, parts x targets."""
        return _kernel(self.values, kernel, tau)

    def worth_interval(self, kernel: str, tau: float, z: float = 1.96) -> tuple[Array, Array]:
        """Ends of an interval of k from those of the alignments, for a known tau."""
        low, high = self.values + z * self.errors, self.values - z * self.errors
        return _kernel(low, kernel, tau), _kernel(high, kernel, tau)


def _kernel(gaps: Array, kernel: str, tau: float) -> Array:
    scaled = gaps / tau
    if kernel == "root":
        # Keeps the sign: a part more aligned than the own one is worth more than 1, as with the other kernel.
        scaled = np.sign(scaled) * np.sqrt(np.abs(scaled))
    return np.exp(-scaled)


def effective_tokens(runs: Runs, worth: Array) -> Array:
    """E, training sets x targets."""
    return runs.tokens[:, None] * (runs.shares @ worth)


def score(runs: Runs, worth: Array) -> Array:
    """log E, training sets x targets; if every part is worth 0, the lowest possible score."""
    return np.log(np.maximum(effective_tokens(runs, worth), np.finfo(float).tiny))


def own_share_score(runs: Runs) -> Array:
    """Score of the trivial baseline: log of the tokens of the target's own part."""
    return np.log(runs.tokens[:, None] * (runs.own_shares + SHARE_FLOOR))


def choose_tau(runs: Runs, gaps: Gaps, kernel: str, grid: Sequence[float] = TAU_GRID) -> float:
    """The tau at which effective tokens rank the losses of some runs best: mean Spearman over the targets."""
    taus = [gaps.median * multiple for multiple in grid]
    scores = [mean_spearman(score(runs, gaps.worth(kernel, tau)), runs.losses) for tau in taus]
    return taus[int(np.argmax(scores))]


def flat_worth(runs: Runs, worth: float) -> Array:
    """The same k for all parts except the target's own."""
    flat = np.full((len(runs.parts), len(runs.targets)), worth)
    for j, target in enumerate(runs.targets):
        own = runs.own_part(target)
        if own is not None:
            flat[own, j] = 1.0
    return flat


def extrapolated_tau(sizes: Sequence[float], taus: Sequence[float], size: float) -> float:
    """tau at a model size, from a straight line in logarithms through other sizes."""
    slope, level = np.polyfit(np.log(sizes), np.log(taus), 1)
    return float(np.exp(level + slope * np.log(size)))


def mean_spearman(scores: Array, losses: Array) -> float:
    """Rank correlation of scores with lower loss, mean over targets."""
    return float(weighted_spearman(ranks(scores), ranks(-losses), np.ones((1, len(scores))))[0].mean())


def ranks(values: Array) -> Array:
    return rankdata(values, axis=0)


def weighted_spearman(first: Array, second: Array, weights: Array) -> Array:
    """Correlation of ranks under each row of weights, column by column: (weights, columns).

    For resamples: a training set counts as often as it was drawn, and keeps its rank among all sets.
    """
    total = weights.sum(axis=1, keepdims=True)

    def mean(values: Array) -> Array:
        return weights @ values / total

    product = mean(first * second) - mean(first) * mean(second)
    spread = [np.sqrt(np.maximum(mean(one**2) - mean(one) ** 2, 0)) for one in (first, second)]
    scale = spread[0] * spread[1]
    return np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)

"""How many training sets a study would need: what stands beside a result that found nothing.

The spread of the correlation over relabellings says how many independent pairs the grid is worth (the
variance of r under independence of n pairs is 1 / (n - 1)); that number grows in proportion to the training
sets less one, the evaluation sets kept. The pairs needed are the classical n = ((z_alpha + z_beta) /
arctanh r)^2 + 3.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

# With 4 training sets the smallest possible p is 1/24: the first number that can fall below .05.
FEWEST_TRAIN_SETS = 4


def pairs_needed(r: float, power: float = 0.8, level: float = 0.05) -> float:
    """Independent pairs that detect a correlation `r` in a two-sided test."""
    quantiles = norm.ppf(1 - level / 2) + norm.ppf(power)
    return float((quantiles / np.arctanh(abs(r))) ** 2 + 3)


def train_sets_needed(r: float, relabelled: NDArray[np.float64], n_train: int) -> float:
    """Training sets that detect `r` at 80% power, all else as it is; NaN where that cannot be said."""
    spread = np.nanvar(relabelled)
    if not np.isfinite(r) or not 1e-3 <= abs(r) < 1 or not spread > 0:
        return float("nan")
    pairs_per_train_set = 1 / spread / (n_train - 1)
    needed = 1 + (pairs_needed(r) - 1) / pairs_per_train_set
    return float(max(FEWEST_TRAIN_SETS, np.ceil(needed - 1e-9)))

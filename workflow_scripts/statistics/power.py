"""How many families of training sets a study would need; reported with results that are not significant.

The spread of the correlation over relabellings gives the effective number of independent pairs in the grid (the
variance of r under independence of n pairs is 1 / (n - 1)). This number grows in proportion to the families minus one,
for the same evaluation sets. The pairs needed are the classical n = ((z_alpha + z_beta) / arctanh r)^2 + 3.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from workflow_scripts.statistics.intervals import FEWEST_FAMILIES


def pairs_needed(r: float, power: float = 0.8, level: float = 0.05) -> float:
    """Independent pairs that detect a correlation `r` in a two-sided test."""
    quantiles = norm.ppf(1 - level / 2) + norm.ppf(power)
    return float((quantiles / np.arctanh(abs(r))) ** 2 + 3)


def families_needed(r: float, relabelled: NDArray[np.float64], n_families: int) -> float:
    """Families needed to detect `r` at 80% power, all else equal; NaN if it cannot be computed."""
    spread = np.nanvar(relabelled)
    if not np.isfinite(r) or not 1e-3 <= abs(r) < 1 or not spread > 0:
        return float("nan")
    pairs_per_family = 1 / spread / (n_families - 1)
    needed = 1 + (pairs_needed(r) - 1) / pairs_per_family
    return float(max(FEWEST_FAMILIES, np.ceil(needed - 1e-9)))

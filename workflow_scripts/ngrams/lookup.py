"""Values in sorted tables."""

import numpy as np


def looked_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray, otherwise: float = 0) -> np.ndarray:
    """Values by key (sorted, at least one); `otherwise` for missing keys."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], otherwise)

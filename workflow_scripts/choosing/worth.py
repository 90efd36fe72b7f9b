"""The worth of a candidate's token for a target, in tokens of the candidate that matches the target best.

    k_c = exp(-sqrt((s_max - s_c) / tau))

s_c is the alignment of candidate c with the target, and s_max that of the best-matching one. This is the root kernel
of `statistics.effective_tokens`, where the target's own part is usually the best match. tau is a number per measure,
chosen on trained models. Studies disagree on it by more than their errors, so it is uncertain; and log k scatters
even if tau is known. Both are drawn at random, together with the errors of the alignments, to give intervals.
`benchmarks/ranking.py` computes the constants and how often the intervals hold; docs/method/choosing.md explains
them.
"""

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from workflow_scripts.errors import UserError

Array = NDArray[np.float64]

# Lower bound of the worth: a kernel may underflow to 0, which has no logarithm.
LEAST_WORTH = 1e-300
CONSTANTS = Path(__file__).parent / "worth.csv"


@dataclass(frozen=True)
class Constants:
    """Constants of one measure: tau, the standard deviation of its logarithm, and that of log k given tau."""

    tau: float
    log_tau_sd: float
    scatter: float


@functools.cache
def all_constants() -> dict[str, Constants]:
    with CONSTANTS.open(newline="") as stream:
        return {
            row["metric"]: Constants(*(float(row[key]) for key in ("tau", "log_tau_sd", "scatter")))
            for row in csv.DictReader(stream)
        }


def constants_of(metric: str) -> Constants:
    known = all_constants()
    if metric not in known:
        raise UserError(
            f"the measure {metric} has not been compared with losses; put one of these "
            f"first in alignment.metrics: {', '.join(sorted(known))}"
        )
    return known[metric]


@dataclass(frozen=True)
class Worths:
    """Worths of candidates x targets, and draws of them: (draws, candidates, targets)."""

    expected: Array
    drawn: Array


def worths_of(
    alignment: pd.DataFrame,
    candidates: Sequence[str],
    targets: Sequence[str],
    constants: Constants,
    draws: int,
    seed: int,
) -> Worths:
    """Worths from one metric's rows of an alignment table; a UserError names a missing pair."""
    table = alignment.set_index(["source", "target"])
    values, errors = np.zeros((2, len(targets), len(candidates)))
    for (j, target), (d, candidate) in product(enumerate(targets), enumerate(candidates)):
        key = (f"{candidate}.train", f"{target}.eval")
        if key not in table.index or not np.isfinite(table.loc[key, "alignment"]):
            raise UserError(
                f"the alignment of {' with '.join(key)} is missing; measure it, or leave out one of them"
            )
        row = table.loc[key]
        values[j, d], errors[j, d] = row["alignment"], standard_error(row["ci_low"], row["ci_high"])
    drawn = np.exp(drawn_log_worth(values, errors, constants, draws, seed))
    expected = np.exp(log_worth(values, constants.tau))
    return Worths(np.maximum(expected.T, LEAST_WORTH), np.maximum(np.moveaxis(drawn, 1, 2), LEAST_WORTH))


def log_worth(alignments: Array, tau: Array | float) -> Array:
    """log k along the last axis, one entry per candidate."""
    gaps = alignments.max(axis=-1, keepdims=True) - alignments
    return -np.sqrt(gaps / tau)


def drawn_log_worth(
    alignments: Sequence[float] | Array,
    errors: Sequence[float] | Array,
    constants: Constants,
    draws: int,
    seed: int,
) -> Array:
    """Draws of log k, (draws, ..., candidates), from the alignments, tau (one draw for all) and the scatter."""
    generator = np.random.default_rng(seed)
    values = np.asarray(alignments, dtype=float)
    shape = (draws, *values.shape)
    drawn = values + np.asarray(errors) * generator.standard_normal(shape)
    tau_factor = np.exp(constants.log_tau_sd * generator.standard_normal((draws, *(1 for _ in values.shape))))
    left = constants.scatter * generator.standard_normal(shape)
    return log_worth(drawn, constants.tau * tau_factor) + left


def standard_error(low: ArrayLike, high: ArrayLike) -> Array:
    """Standard error of an alignment, from the ends of its 95% interval."""
    return (np.asarray(high, dtype=float) - np.asarray(low, dtype=float)) / (2 * 1.96)

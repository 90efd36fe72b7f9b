"""What a token of each candidate is worth for a target, in tokens of the candidate that matches the target best.

    k_c = exp(-sqrt((s_max - s_c) / tau))

s_c is the alignment of candidate c with the target and s_max that of the best-matching one: the root kernel of
`statistics.effective_tokens`, where the target's own part is usually the best-matching one. tau is a number per
measure. It was chosen on models that were trained, in two studies that differ by more than any of them can say of
itself, so it is uncertain; and what is left of log k, once tau is known, scatters. Both are drawn at random, with the
errors of the alignments, so that what follows has intervals. `benchmarks/ranking.py` finds the constants and how often
the intervals hold; docs/method/choosing.md explains.
"""

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.errors import UserError

Array = NDArray[np.float64]

CONSTANTS = Path(__file__).parent / "worth.csv"


@dataclass(frozen=True)
class Constants:
    """Of one measure of alignment: tau, the standard deviation of its logarithm, that of log k given tau."""

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
            f"what a token is worth by the measure {metric} has not been compared with losses; put one of these "
            f"first in alignment.metrics: {', '.join(sorted(known))}"
        )
    return known[metric]


def log_worth(alignments: Array, tau: Array | float) -> Array:
    """log k along the last axis, one entry a candidate."""
    gaps = alignments.max(axis=-1, keepdims=True) - alignments
    return -np.sqrt(gaps / tau)


def drawn_log_worth(
    alignments: Sequence[float] | Array,
    errors: Sequence[float] | Array,
    constants: Constants,
    draws: int,
    seed: int,
) -> Array:
    """Draws of log k, (draws, candidates): of the alignments, of tau, and of what is left."""
    generator = np.random.default_rng(seed)
    shape = (draws, len(alignments))
    drawn = np.asarray(alignments) + np.asarray(errors) * generator.standard_normal(shape)
    tau = constants.tau * np.exp(constants.log_tau_sd * generator.standard_normal((draws, 1)))
    return log_worth(drawn, tau) + constants.scatter * generator.standard_normal(shape)

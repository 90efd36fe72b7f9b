"""What a token of each candidate is worth for each target, with what is not known about it.

Three errors are drawn, independently: of each alignment (normal, from its 95% interval); of the kernel's tau
(log-normal, one draw for all pairs); and of each pair's worth about the kernel (log-normal), because alignment does not
say all. A target's own candidate is worth 1 by definition, without error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow_scripts.errors import UserError
from workflow_scripts.outside.runs import HALF_WIDTH
from workflow_scripts.statistics.effective_tokens import KERNELS, Gaps

Array = NDArray[np.float64]
# Worth below this is as good as none; a kernel may underflow to 0, which has no logarithm.
LEAST_WORTH = 1e-300


@dataclass(frozen=True)
class UncertainKernel:
    """Shape and tau of the kernel; spreads (standard deviations) of log tau and of log worth about the kernel."""

    shape: str
    tau: float
    log_tau_sd: float
    log_worth_sd: float

    def __post_init__(self) -> None:
        if self.shape not in KERNELS:
            raise UserError(f"the kernel {self.shape} is unknown: it is one of {', '.join(KERNELS)}")
        if not self.tau > 0:
            raise UserError(f"the kernel's tau is {self.tau:g}: it must be above 0")
        if not (self.log_tau_sd >= 0 and self.log_worth_sd >= 0):
            raise UserError(
                f"the spreads of tau and of worth are {self.log_tau_sd:g} and {self.log_worth_sd:g}: "
                "neither may be below 0"
            )


@dataclass(frozen=True)
class Worths:
    """Worths of candidates x targets, and draws of them: (draws, candidates, targets)."""

    expected: Array
    drawn: Array


def worths_of(
    alignment: pd.DataFrame,
    candidates: Sequence[str],
    targets: Sequence[str],
    kernel: UncertainKernel,
    draws: int,
    seed: int,
) -> Worths:
    """Worths by one metric's rows of an alignment table."""
    values, errors, reference = _cells(alignment, candidates, targets)
    rng = np.random.default_rng([seed, draws])
    drawn = values + errors * rng.normal(size=(draws, *values.shape))
    tau_factors = np.exp(kernel.log_tau_sd * rng.normal(size=(draws, 1, 1)))
    about_kernel = kernel.log_worth_sd * rng.normal(size=(draws, len(candidates), len(targets)))
    own = np.array([[candidate == target for target in targets] for candidate in candidates])
    drawn_worth = _worth(_gaps(drawn, reference) / tau_factors, kernel)
    return Worths(
        _worth(_gaps(values[None], reference), kernel)[0],
        drawn_worth * np.exp(np.where(own, 0.0, about_kernel)),
    )


def _worth(gaps: Array, kernel: UncertainKernel) -> Array:
    return np.maximum(Gaps(gaps, np.zeros_like(gaps)).worth(kernel.shape, kernel.tau), LEAST_WORTH)


def _gaps(values: Array, reference: NDArray[np.intp]) -> Array:
    """Gaps of (draws, candidates, targets): see outside.runs.gaps_of."""
    best = values[:, reference, np.arange(len(reference))]
    return best[:, None, :] - values[:, :-1, :]


def _cells(
    alignment: pd.DataFrame, candidates: Sequence[str], targets: Sequence[str]
) -> tuple[Array, Array, NDArray[np.intp]]:
    """Alignments and their errors, and the row that each target's gaps are measured from.

    Rows: each candidate, then each target with itself; that is used where no candidate is the target's own. A
    UserError names a pair that is missing.
    """
    table = alignment.set_index(["source", "target"])
    values, errors = np.zeros((2, len(candidates) + 1, len(targets)))
    reference = np.array(
        [candidates.index(target) if target in candidates else len(candidates) for target in targets],
        dtype=np.intp,
    )
    for j, target in enumerate(targets):
        sources = [f"{candidate}.train" for candidate in candidates]
        if target not in candidates:
            sources.append(f"{target}.eval")
        for i, source in enumerate(sources):
            key = (source, f"{target}.eval")
            if key not in table.index or not np.isfinite(table.loc[key, "alignment"]):
                raise UserError(
                    f"the alignment of {source} with {target}.eval is missing: measure it, or leave one of them out"
                )
            row = table.loc[key]
            values[i, j] = row["alignment"]
            errors[i, j] = (row["ci_high"] - row["ci_low"]) / (2 * HALF_WIDTH)
    return values, errors, reference

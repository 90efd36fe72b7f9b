"""The gain of the proposed shares over the obvious ones, and the uncertainty of the shares.

Every alternative respects the same limits (limits.filled): its shares are proportional to its preference and cut at its
limits, and the rest goes to the others in proportion.

    uniform   the same share of every candidate
    natural   shares in proportion to the candidates' sizes
    single    all of one candidate, the best by the same worths; if it is too small, the rest evenly from the others

The gain is the ratio of effective tokens, E_j(proposed) / E_j(alternative); over all targets, the ratio of their
weighted geometric means. In nats it is b log of the ratio. b is the slope of the law loss_j = c_j - b log(e_j + E_j)
with e_j = 0: a model that knows something of the target before training (e_j > 0) gains less.

Intervals come from draws of the worths and, in nats, of each target's slope, which is log-normal about its expected
value. The proposal and the alternatives are held fixed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow_scripts.choosing.allocation import Allocation, Planner, mean_log_tokens
from workflow_scripts.choosing.limits import Limits, filled
from workflow_scripts.choosing.worth import Worths
from workflow_scripts.errors import UserError

Array = NDArray[np.float64]
ENDS = (0.025, 0.975)
MEAN = "mean"
UNIFORM, NATURAL, SINGLE = "uniform", "natural", "single"
MIX_TYPES = {
    "candidate": "str",
    "tokens": "int64",
    **dict.fromkeys(("share", "share_low", "share_high", "epochs"), "float64"),
    "capped": "bool",
    **dict.fromkeys(("price", "budget_price"), "float64"),
    **dict.fromkeys((f"{name}_share" for name in (UNIFORM, NATURAL, SINGLE)), "float64"),
}
GAIN_TYPES = {
    **dict.fromkeys(("against", "target"), "str"),
    **dict.fromkeys(("effective_token_ratio", "low", "high"), "float64"),
    **dict.fromkeys(("nats", "nats_low", "nats_high"), "float64"),
}


@dataclass(frozen=True)
class UncertainSlope:
    """Slope b of the law, and the standard deviation of its logarithm over targets."""

    value: float
    log_sd: float

    def __post_init__(self) -> None:
        if not self.value > 0 or not self.log_sd >= 0:
            raise UserError(
                f"the slope is {self.value:g} and its spread {self.log_sd:g}; set a slope above 0 "
                "and a spread of at least 0"
            )

    def drawn(self, draws: int, targets: int, seed: int) -> Array:
        """(draws, targets)"""
        rng = np.random.default_rng([seed, draws, targets])
        return self.value * np.exp(self.log_sd * rng.normal(size=(draws, targets)))


@dataclass(frozen=True)
class Proposal:
    """The best shares for the expected worths, the alternatives, and the best shares for each draw."""

    best: Allocation
    alternatives: Mapping[str, Array]
    drawn_shares: Array


def propose(limits: Limits, weights: Array, worths: Worths) -> Proposal:
    if not len(worths.drawn):
        raise UserError("the number of draws is 0; intervals need at least 1")
    planner = Planner(limits, weights)
    best = planner.best(worths.expected)
    drawn = np.array([planner.best(worth).shares for worth in worths.drawn])
    return Proposal(best, alternatives(limits, weights, worths.expected), drawn)


def alternatives(limits: Limits, weights: Array, worth: Array) -> dict[str, Array]:
    """Shares that need no optimiser."""
    n = len(limits.candidates)
    singles = [filled(np.eye(n)[d], limits) for d in range(n)]
    by_value = [mean_log_tokens(shares, worth, weights) for shares in singles]
    return {
        UNIFORM: filled(np.ones(n), limits),
        NATURAL: filled(limits.sizes, limits),
        SINGLE: singles[int(np.argmax(by_value))],
    }


def mix_table(limits: Limits, proposal: Proposal) -> pd.DataFrame:
    """A row per candidate: its shares and tokens, the interval of its share, and prices."""
    tokens = limits.whole_tokens(proposal.best.shares)
    low, high = np.quantile(proposal.drawn_shares, ENDS, axis=0)
    table = pd.DataFrame(
        {
            "candidate": limits.candidates,
            "tokens": tokens,
            "share": proposal.best.shares,
            "share_low": low,
            "share_high": high,
            "epochs": tokens / limits.sizes,
            "capped": proposal.best.capped,
            "price": proposal.best.text_prices(limits.epochs),
            "budget_price": proposal.best.budget_price,
            **{f"{name}_share": shares for name, shares in proposal.alternatives.items()},
        }
    )
    return table[list(MIX_TYPES)].astype(MIX_TYPES)


def gain_table(
    targets: Sequence[str],
    weights: Array,
    worths: Worths,
    proposal: Proposal,
    slope: UncertainSlope,
    seed: int,
) -> pd.DataFrame:
    """A row per alternative and target, and one for the mean over targets."""
    slopes = slope.drawn(len(worths.drawn), len(targets), seed)
    rows = []
    for name, shares in proposal.alternatives.items():
        expected = _log_gains(proposal.best.shares, shares, worths.expected[None])[0]
        drawn = _log_gains(proposal.best.shares, shares, worths.drawn)
        gains, in_nats = _with_mean(expected, weights), _with_mean(slope.value * expected, weights)
        ends = np.quantile(_with_mean(drawn, weights), ENDS, axis=0)
        ends_in_nats = np.quantile(_with_mean(slopes * drawn, weights), ENDS, axis=0)
        for i, target in enumerate((*targets, MEAN)):
            ratios = np.exp([gains[i], *ends[:, i]])
            rows.append((name, target, *ratios, in_nats[i], *ends_in_nats[:, i]))
    return pd.DataFrame(rows, columns=list(GAIN_TYPES)).astype(GAIN_TYPES)


def _with_mean(by_target: Array, weights: Array) -> Array:
    """Values of the targets along the last axis, followed by their weighted mean."""
    return np.concatenate([by_target, (by_target @ weights)[..., None]], axis=-1)


def decimal_shares(table: pd.DataFrame, decimals: int = 6) -> dict[str, float]:
    """Share of each candidate as a decimal number; they sum to exactly 1."""
    unit = 10**decimals
    exact = table["share"].to_numpy() * unit
    found = np.floor(exact).astype(int)
    found[np.argsort(found - exact, kind="stable")[: unit - int(found.sum())]] += 1
    return {name: int(part) / unit for name, part in zip(table["candidate"], found, strict=True)}


def mixture_entry(shares: Mapping[str, float]) -> dict[str, Any]:
    """A config entry of a corpus with these shares, without candidates of share 0.

    A mixture has at least two parts, so if one candidate gets everything, another one is listed with a share of 0.
    """
    used = {name: share for name, share in shares.items() if share > 0}
    if len(used) < 2:
        used = dict(sorted(shares.items(), key=lambda item: -item[1])[:2])
    return {"source": "mixture", "fractions": used}


def _log_gains(proposed: Array, alternative: Array, worths: Array) -> Array:
    """log E_j(proposed) / E_j(alternative), one row per draw."""
    return np.log(proposed @ worths) - np.log(alternative @ worths)

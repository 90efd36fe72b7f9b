"""The limits of a choice of tokens: the budget, the size of each candidate, epochs, minimum shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.errors import UserError

Array = NDArray[np.float64]
# Tolerance of sums of shares.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Limits:
    """sum_d n_d = tokens and minimum_d tokens <= n_d <= epochs size_d, n_d being the tokens of candidate d.

    Raises a UserError if no choice is feasible.
    """

    candidates: tuple[str, ...]
    sizes: Array  # tokens of text
    tokens: int
    epochs: float
    minimums: Array  # shares

    def __post_init__(self) -> None:
        if len(self.candidates) < 2:
            raise UserError(f"{self._names()} is the only candidate; name at least two")
        if not self.tokens > 0 or not self.epochs > 0:
            raise UserError(
                f"the budget is {self.tokens:,g} tokens at {self.epochs:g} epochs; both must be above 0"
            )
        for name, size, minimum in zip(self.candidates, self.sizes, self.minimums, strict=True):
            if not size > 0:
                raise UserError(f"the candidate {name} has no tokens; add text or remove it")
            if not 0 <= minimum <= 1:
                raise UserError(f"the minimum share of {name} is {minimum:g}; it must be between 0 and 1")
        if self.minimums.sum() > 1 + ROUNDING:
            raise UserError(
                f"the minimum shares sum to {self.minimums.sum():g}; lower them to a sum of at most 1"
            )
        most = self.epochs * self.sizes
        if most.sum() < self.tokens * (1 - ROUNDING):
            raise UserError(
                f"the candidates have at most {most.sum():,.0f} tokens at {self.epochs:g} epochs, fewer than the "
                f"{self.tokens:,.0f} of the budget; lower the budget, allow more epochs, or add text"
            )
        short = self.minimums > self.highest + ROUNDING
        if short.any():
            d = int(np.argmax(short))
            raise UserError(
                f"the candidate {self.candidates[d]} has at most {most[d]:,.0f} tokens at {self.epochs:g} epochs, "
                f"a share of {self.highest[d]:.4g}; lower its minimum share of {self.minimums[d]:g}, allow more "
                "epochs, or add text"
            )

    @property
    def highest(self) -> Array:
        """Greatest share of each candidate; above 1 if it has more text than the budget."""
        return self.epochs * self.sizes / self.tokens

    def whole_tokens(self, shares: Array) -> NDArray[np.int64]:
        """Shares as whole tokens that sum to the budget, none above its limit.

        Tokens left by rounding down go to the largest remainder that has room.
        """
        exact = shares * self.tokens
        found = np.floor(exact + ROUNDING).astype(np.int64)
        room = np.floor(self.highest * self.tokens + ROUNDING).astype(np.int64) - found
        for d in np.argsort(found - exact, kind="stable"):
            found[d] += np.clip(self.tokens - int(found.sum()), 0, room[d])
        return found

    def _names(self) -> str:
        return ", ".join(self.candidates) or "nothing"


def limits_of(
    candidates: Sequence[str],
    sizes: Mapping[str, float],
    tokens: int,
    epochs: float,
    minimums: Mapping[str, float],
) -> Limits:
    """Limits from values by name; a candidate without a minimum share has 0."""
    twice = sorted({name for name in candidates if list(candidates).count(name) > 1})
    if twice:
        raise UserError(f"the candidate {twice[0]} is named twice; name it once")
    for name in minimums:
        if name not in candidates:
            raise UserError(
                f"there is a minimum share for the unknown candidate {name}; known are {', '.join(candidates)}"
            )
    for name in candidates:
        if name not in sizes:
            raise UserError(f"the tokens of the candidate {name} are unknown; add it to the sizes")
    return Limits(
        tuple(candidates),
        np.array([sizes[name] for name in candidates], dtype=float),
        tokens,
        epochs,
        np.array([minimums.get(name, 0.0) for name in candidates]),
    )


def filled(preference: Array, limits: Limits) -> Array:
    """Shares in proportion to `preference`, made feasible: x_d = clip(t preference_d, minimum_d, highest_d).

    t is the number at which they sum to 1, so what is cut from a candidate goes to the others in proportion. If all
    preferred candidates are exhausted, the rest is spread evenly, by the same rule.
    """
    low, high = limits.minimums, np.minimum(limits.highest, 1.0)
    liked = preference > 0
    shares = np.where(liked, high, low)
    if shares.sum() < 1:
        shares[~liked] = _level(
            np.ones(int((~liked).sum())), low[~liked], high[~liked], 1 - high[liked].sum()
        )
    else:
        shares[liked] = _level(preference[liked], low[liked], high[liked], 1 - low[~liked].sum())
    return shares


def _level(preference: Array, low: Array, high: Array, total: float) -> Array:
    """clip(t preference, low, high) for the t at which it sums to `total`, found from the kinks of this sum."""
    bends = np.unique(np.concatenate([[0.0], low / preference, high / preference]))
    sums = np.clip(bends[:, None] * preference, low, high).sum(axis=1)
    t = np.interp(total, sums, bends)
    return np.clip(t * preference, low, high)


def check_weights(targets: Sequence[str], weights: Sequence[float]) -> Array:
    """Weights of the targets, scaled to sum to 1."""
    if not targets:
        raise UserError("there is no target; name at least one")
    if len(weights) != len(targets):
        raise UserError(
            f"there are {len(targets)} targets and {len(weights)} weights; give one weight per target"
        )
    if len(set(targets)) < len(targets):
        raise UserError(f"a target is named twice ({', '.join(targets)}); name it once, with a larger weight")
    for target, weight in zip(targets, weights, strict=True):
        if not (np.isfinite(weight) and weight > 0):
            raise UserError(
                f"the weight of the target {target} is {weight:g}; set it above 0, or remove the target"
            )
    values = np.asarray(weights, dtype=float)
    return values / values.sum()

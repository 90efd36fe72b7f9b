"""The shares of candidates with the most effective tokens for a budget, exactly, with prices.

    maximise    sum_j w_j log E_j(n),    E_j(n) = sum_d k_dj n_d
    subject to  sum_d n_d = N  and  minimum_d N <= n_d <= epochs size_d

n_d: tokens of candidate d; k_dj: worth of one of them for target j (statistics/effective_tokens.py); w_j: weights of
the targets, which sum to 1. With loss_j = c_j - b log E_j this minimises the weighted mean loss, if b is the same for
all targets. The problem is concave, so a local optimum is the optimum. CVXPY (Diamond and Boyd, JMLR 17(83), 2016)
states it once for all worths (Agrawal et al. 2019, arXiv 1910.12430), and Clarabel solves it (Goulart and Chen 2024,
arXiv 2405.12762).

With shares x = n / N and g_d = sum_j w_j k_dj / sum_c k_cj x_c, the Karush-Kuhn-Tucker conditions are

    g_d = lambda            if x_d is inside its limits,
    g_d = lambda + mu_d     if it is at the upper one,    mu_d >= 0
    g_d = lambda - nu_d     if it is at the lower one,    nu_d >= 0

and sum_d x_d g_d = 1. mu_d is the price of a capped candidate: the gain of log E per unit of share by which its limit
rises. Relative growth of the budget with the text unchanged gains 1 - sum_d mu_d highest_d: twice the tokens are twice
the effective tokens if nothing is capped, and less if text has run out.
"""

import warnings
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

from workflow_scripts.choosing.limits import Limits

Array = NDArray[np.float64]
# A share this near to a limit is at the limit: an interior-point solver does not reach it exactly.
AT_LIMIT = 1e-6
# Tighter than the solver's default, because shares are less exact than the objective.
TOLERANCES = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-9}
# Nats of mean log effective tokens by which a solution may be below the optimum.
LARGEST_GAP = 1e-4


@dataclass(frozen=True)
class Allocation:
    """The best shares, and the prices of their limits."""

    shares: Array
    capped: NDArray[np.bool_]
    cap_prices: Array
    """mu: gain of sum_j w_j log E_j per unit of share by which a candidate's upper limit rises."""
    budget_price: float
    """Gain of sum_j w_j log E_j per relative growth of the budget; 1 if no candidate is capped."""
    gap: float
    """No feasible shares are better than these by more than this, in nats of mean log effective tokens."""

    def text_prices(self, epochs: float) -> Array:
        """How many tokens of the budget one more token of each candidate's text is worth.

        One more token of text may be read `epochs` times. Infinite if a larger budget is worth nothing.
        """
        gains = epochs * self.cap_prices
        if self.budget_price <= 0:
            return np.where(gains > 0, np.inf, 0.0)
        return gains / self.budget_price


class Planner:
    """Solves the problem for one set of limits and weights; solving again for other worths is fast."""

    def __init__(self, limits: Limits, weights: Array) -> None:
        self.limits, self.weights = limits, weights
        n = len(limits.candidates)
        self._shares = cp.Variable(n)
        self._worth = cp.Parameter((len(weights), n), nonneg=True)
        # Limits above 1 have no effect, and large ones would harm the solver's scaling.
        highest = np.minimum(limits.highest, 2.0)
        self._problem = cp.Problem(
            cp.Maximize(weights @ cp.log(self._worth @ self._shares)),
            [cp.sum(self._shares) == 1, self._shares >= limits.minimums, self._shares <= highest],
        )

    def best(self, worth: Array) -> Allocation:
        """The optimum for worths of candidates x targets."""
        # Only ratios within a target matter; dividing by the largest keeps numbers near 1.
        scaled = worth / worth.max(axis=0)
        self._worth.value = scaled.T
        with warnings.catch_warnings():
            # The certificate bounds the error of a solution, whatever the solver's status.
            warnings.filterwarnings("ignore", "Solution may be inaccurate")
            self._problem.solve(solver=cp.CLARABEL, **TOLERANCES)
        if self._shares.value is None:
            raise RuntimeError(f"the solver ended with the status {self._problem.status}")
        return certified(np.asarray(self._shares.value, dtype=float), scaled, self.limits, self.weights)


def mean_log_tokens(shares: Array, worth: Array, weights: Array) -> float:
    """sum_j w_j log E_j for a budget of one token."""
    return float(weights @ np.log(shares @ worth))


def certified(solved: Array, worth: Array, limits: Limits, weights: Array) -> Allocation:
    """A solver's shares, moved exactly onto the limits that they touch, with prices and a proof of optimality.

    The proof: a concave function lies below its tangent, so no feasible shares are better by more than the greatest
    feasible g'y - g'x. Filling candidates in the order of g finds it (the gap of Frank and Wolfe 1956).
    """
    low, high = limits.minimums, limits.highest
    shares = solved.copy()
    at_low, at_high = shares - low < AT_LIMIT, high - shares < AT_LIMIT
    shares[at_low] = low[at_low]
    shares[at_high] = high[at_high]
    inside = ~at_low & ~at_high
    if inside.any():
        shares[inside] *= (1 - shares[~inside].sum()) / shares[inside].sum()
    gradient = worth @ (weights / (shares @ worth))
    gap = float(gradient @ _greatest(gradient, limits) - gradient @ shares)
    if gap > LARGEST_GAP:
        raise RuntimeError(f"the solver stopped {gap:.2g} nats short of the optimum")
    # If no share is inside its limits, lambda is an interval; its upper end prices one more token of text.
    if inside.any():
        level = float(shares[inside] @ gradient[inside] / shares[inside].sum())
    else:
        level = float(gradient[at_high].min()) if at_high.any() else np.inf
    prices = np.where(at_high, np.maximum(gradient - level, 0.0), 0.0)
    return Allocation(shares, at_high, prices, float(1 - prices[at_high] @ high[at_high]), gap)


def _greatest(gradient: Array, limits: Limits) -> Array:
    """The feasible shares with the greatest sum of gradient times share."""
    shares = limits.minimums.copy()
    left = 1 - shares.sum()
    for d in np.argsort(-gradient, kind="stable"):
        more = float(np.clip(limits.highest[d] - shares[d], 0.0, left))
        shares[d] += more
        left -= more
    return shares

"""The law that combines alignment and size: loss falls with the logarithm of the effective tokens.

    loss_j(m) = c_j - b_j log(e_j + E_j(m)),    E_j(m) = N_m sum_d share_md k_dj

E_j(m) are the effective tokens of training set m for target j: its N_m tokens, each weighted by the worth k_dj of a
token of its corpus d. A token of the target's own corpus is worth 1. e_j is the model's knowledge of the target before
training, in tokens. Tokens are counted in units of `Law.unit`, so e and E are of order 1.

The law is fitted by least squares to losses with priors: log k_dj is normal about the logarithm of the worth from
alignment, or of one small worth for all parts (a flat prior). The fit is the mode of the posterior; intervals come from
its Gaussian approximation there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Array = NDArray[np.float64]
SMALLEST_WORTH = 1e-4


@dataclass(frozen=True)
class Prior:
    """Standard deviations: of log worth about its prior value, and of losses (nats) about the law.

    base, base_spread: of log e; slope, slope_spread: of log b. Chosen on the 512 models of 1M parameters of RegMix.
    """

    worth_spread: float = 1.0
    noise: float = 0.2
    base: float = 0.0003
    base_spread: float = 2.0
    slope: float = 0.3
    slope_spread: float = 0.5


@dataclass(frozen=True)
class Law:
    """The law of one target."""

    level: float
    slope: float
    base: float
    worth: Array
    unit: float
    noise: float
    """Standard deviation of losses about the law, corrected for the fit's degrees of freedom."""
    covariance: Array
    """Covariance of (level, log slope, log base, the free log worths)."""
    free: NDArray[np.intp]
    """Parts whose worth is fitted: all except the target's own."""

    def predict(self, shares: Array, tokens: Array) -> tuple[Array, Array]:
        """Losses of training sets, and the standard errors of these predictions, including noise."""
        effective = (shares @ self.worth) * (tokens / self.unit)
        gradient = _gradient(shares, tokens / self.unit, self)
        variance = np.einsum("ip,pq,iq->i", gradient, self.covariance, gradient) + self.noise**2
        return self.level - self.slope * np.log(self.base + effective), np.sqrt(variance)

    @property
    def log_worth_error(self) -> Array:
        """Standard errors of log worth; 0 for the target's own part."""
        errors = np.zeros(len(self.worth))
        errors[self.free] = np.sqrt(np.diag(self.covariance)[3:])
        return errors


def fit_law(
    shares: Array, tokens: Array, losses: Array, worth: Array, own: int | None, prior: Prior | None = None
) -> Law:
    """The law of one target from the losses of some training sets.

    shares: training sets x parts; worth: prior worth of each part; own: the target's own part, if there is one.
    """
    prior = prior or Prior()
    unit = float(np.exp(np.log(tokens).mean()))
    size = tokens / unit
    free = np.array([d for d in range(shares.shape[1]) if d != own], dtype=np.intp)
    start_worth = np.log(np.maximum(worth, SMALLEST_WORTH))

    def law(point: Array) -> Law:
        log_worth = start_worth.copy()
        if own is not None:
            log_worth[own] = 0.0
        log_worth[free] = point[3:]
        slope, base = np.exp(point[1:3])
        return Law(point[0], slope, base, np.exp(log_worth), unit, prior.noise, np.zeros((0, 0)), free)

    centre = np.r_[np.log(prior.slope), np.log(prior.base), start_worth[free]]
    spread = np.r_[prior.slope_spread, prior.base_spread, np.full(len(free), prior.worth_spread)]
    of_priors = np.hstack([np.zeros((len(spread), 1)), np.diag(1 / spread)])

    def residuals(point: Array) -> Array:
        one = law(point)
        effective = (shares @ one.worth) * size
        misfit = losses - (one.level - one.slope * np.log(one.base + effective))
        return np.concatenate([misfit / prior.noise, (point[1:] - centre) / spread])

    def jacobian(point: Array) -> Array:
        of_losses = -_gradient(shares, size, law(point)) / prior.noise
        return np.concatenate([of_losses, of_priors])

    fitted = least_squares(residuals, _start(losses, shares, size, law, centre), jac=jacobian, method="lm")
    return _with_errors(law(fitted.x), shares, size, losses, prior, jacobian(fitted.x))


def _start(losses: Array, shares: Array, size: Array, law: Callable[[Array], Law], centre: Array) -> Array:
    """The priors' centre, with the matching level."""
    one = law(np.r_[0.0, centre])
    level = losses.mean() + one.slope * np.log(one.base + (shares @ one.worth) * size).mean()
    return np.r_[level, centre]


def _gradient(shares: Array, size: Array, law: Law) -> Array:
    """Derivatives of predicted losses by (level, log slope, log base, the free log worths)."""
    inside = law.base + (shares @ law.worth) * size
    by_inside = -law.slope / inside
    gradient = np.ones((len(shares), 3 + len(law.free)))
    gradient[:, 1] = -law.slope * np.log(inside)
    gradient[:, 2] = by_inside * law.base
    gradient[:, 3:] = (by_inside * size)[:, None] * shares[:, law.free] * law.worth[law.free]
    return gradient


def _with_errors(law: Law, shares: Array, size: Array, losses: Array, prior: Prior, jacobian: Array) -> Law:
    """The law with noise estimated from its residuals, and the covariance of the fit.

    The fit's degrees of freedom: the trace of the hat matrix of the losses, with priors counted as data.
    """
    n = len(losses)
    inverse: Array = np.linalg.inv(jacobian.T @ jacobian).astype(float)
    taken = float(np.einsum("ip,pq,iq->", jacobian[:n], inverse, jacobian[:n]))
    misfit = losses - (law.level - law.slope * np.log(law.base + (shares @ law.worth) * size))
    # The prior's noise counts as one observation, in case the fit uses nearly all degrees of freedom.
    noise = np.sqrt((misfit @ misfit + prior.noise**2) / (max(n - taken, 0.0) + 1))
    return replace(law, noise=float(noise), covariance=inverse)

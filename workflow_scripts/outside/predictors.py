"""Everything that predicts which mixture is best: baselines, alignment, effective tokens, the law, regressions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold

from workflow_scripts.statistics.effective_tokens import (
    KERNELS,
    Gaps,
    Runs,
    choose_tau,
    extrapolated_tau,
    own_share_score,
    score,
)
from workflow_scripts.statistics.mixture_ranking import Prediction
from workflow_scripts.statistics.token_law import fit_law

Array = NDArray[np.float64]

FOLDS = 10
IN_SAMPLE = "tau was chosen on these losses"
# Fits one target: (shares, tokens, losses, target's column) of the proxies, then shares and tokens to predict.
Fit = Callable[[Runs, Array, Array, int], Array]


@dataclass(frozen=True)
class Kernel:
    """Conversion of one metric's gaps to worths: shape, tau, and the origin of tau."""

    shape: str
    tau: float
    fitted_to: str

    def worth(self, gaps: Gaps) -> Array:
        return gaps.worth(self.shape, self.tau)


def kernels(gaps: Gaps, proxies: Runs) -> list[Kernel]:
    """Each kernel with the tau that ranks the proxies best."""
    return [Kernel(shape, choose_tau(proxies, gaps, shape), "proxies") for shape in KERNELS]


def sharpened_kernels(gaps: Gaps, runs_by_size: Mapping[float, Runs], size: float) -> list[Kernel]:
    """Each kernel with tau extrapolated to a model size: a line in logarithms through the best tau of other sizes."""
    sizes = sorted(runs_by_size)
    found = []
    for shape in KERNELS:
        taus = [choose_tau(runs_by_size[one], gaps, shape) for one in sizes]
        found.append(Kernel(shape, extrapolated_tau(sizes, taus, size), "extrapolated"))
    return found


def baselines(runs: Runs) -> Iterator[Prediction]:
    """Baselines without alignment: the share of the target's own part, and the entropy of the shares."""
    if np.isfinite(runs.own_shares).all():
        yield Prediction("own_share", "baseline", own_share_score(runs)[None])
    logs = np.log(np.where(runs.shares > 0, runs.shares, 1.0))
    entropy = -(runs.shares * logs).sum(axis=1)
    yield Prediction(
        "share_entropy", "baseline", np.repeat(entropy[None, :, None], len(runs.targets), axis=2)
    )


def from_text(metric: str, gaps: Gaps, kernel: Kernel, runs: Runs, in_sample: bool) -> Prediction:
    """Effective tokens by one metric."""
    name = kernel.shape if kernel.fitted_to == "proxies" else f"{kernel.shape}, {kernel.fitted_to}"
    note = IN_SAMPLE if in_sample else ""
    return Prediction(
        metric, "effective_tokens", score(runs, kernel.worth(gaps))[None], kernel=name, note=note
    )


@dataclass(frozen=True)
class LawFit:
    """The law, with a prior on worth (parts x targets)."""

    worth: Array

    def __call__(self, proxies: Runs, shares: Array, tokens: Array, j: int) -> Array:
        own = proxies.own_part(proxies.targets[j])
        law = fit_law(proxies.shares, proxies.tokens, proxies.losses[:, j], self.worth[:, j], own)
        return law.predict(shares, tokens)[0]


def linear_fit(proxies: Runs, shares: Array, tokens: Array, j: int) -> Array:
    """RegMix's linear regression on shares."""
    return LinearRegression().fit(proxies.shares, proxies.losses[:, j]).predict(shares)


def boosting_fit(proxies: Runs, shares: Array, tokens: Array, j: int) -> Array:
    """Gradient boosting of trees on shares, RegMix's choice."""
    model = GradientBoostingRegressor(
        n_estimators=200, learning_rate=0.05, max_depth=4, subsample=0.7, random_state=0
    )
    # Otherwise each of the 200 trees checks the settings and the shares again, which takes a third of the time.
    with config_context(skip_parameter_validation=True, assume_finite=True):
        return model.fit(proxies.shares, proxies.losses[:, j]).predict(shares)


@dataclass(frozen=True)
class Fitted:
    """A predictor that learns from proxies: its name in tables, and its fit."""

    metric: str
    predictor: str
    fit: Fit
    kernel: str = ""


def ways_to_learn(worths: Mapping[tuple[str, str], Array], flat: Array) -> list[Fitted]:
    """The law with every metric's worths, the law with a flat prior, and the regressions."""
    laws = [Fitted(metric, "law", LawFit(worth), kernel) for (metric, kernel), worth in worths.items()]
    return [
        *laws,
        Fitted("flat_prior", "law", LawFit(flat)),
        Fitted("linear_regression", "regression", linear_fit),
        Fitted("gradient_boosting", "regression", boosting_fit),
    ]


def from_proxies(
    fitted: Fitted, proxies: Runs, studied: Sequence[Runs], count: int, draws: int, seed: int, threads: int
) -> list[Prediction]:
    """Predictions of several experiments' runs from `count` proxies, once per draw of proxies.

    If `count` is all proxies, there is one draw. Each fit predicts every experiment, because fitting takes the time.
    """
    rng = np.random.default_rng([seed, count])
    n = len(proxies.losses)
    chosen = [rng.choice(n, count, replace=False) for _ in range(draws)] if count < n else [np.arange(n)]
    shares = np.concatenate([runs.shares for runs in studied])
    tokens = np.concatenate([runs.tokens for runs in studied])
    predicted = Parallel(n_jobs=threads)(
        delayed(fitted.fit)(subset(proxies, rows), shares, tokens, j)
        for rows in chosen
        for j in range(len(proxies.targets))
    )
    scores = -np.array(predicted).reshape(len(chosen), len(proxies.targets), len(shares)).transpose(0, 2, 1)
    ends = np.cumsum([len(runs.losses) for runs in studied])[:-1]
    return [
        Prediction(fitted.metric, fitted.predictor, own, proxies=count, kernel=fitted.kernel)
        for own in np.split(scores, ends, axis=1)
    ]


def cross_validated(fitted: Fitted, runs: Runs, seed: int, threads: int) -> Prediction:
    """Predictions of each run from the runs of the other folds, used if there are no proxies."""
    folds = KFold(min(FOLDS, len(runs.losses)), shuffle=True, random_state=seed)
    splits = list(folds.split(runs.losses))
    places = [(rows, left_out, j) for rows, left_out in splits for j in range(len(runs.targets))]
    predicted = Parallel(n_jobs=threads)(
        delayed(fitted.fit)(subset(runs, rows), runs.shares[left_out], runs.tokens[left_out], j)
        for rows, left_out, j in places
    )
    scores = np.empty_like(runs.losses)
    for (_, left_out, j), losses in zip(places, predicted, strict=True):
        scores[left_out, j] = -losses
    note = f"each run predicted from those of {folds.n_splits - 1} of {folds.n_splits} folds"
    proxies = len(splits[-1][0])
    return Prediction(
        fitted.metric, fitted.predictor, scores[None], proxies=proxies, kernel=fitted.kernel, note=note
    )


def subset(runs: Runs, rows: NDArray[np.intp]) -> Runs:
    return Runs(
        tuple(runs.train_sets[i] for i in rows),
        runs.parts,
        runs.targets,
        runs.shares[rows],
        runs.tokens[rows],
        runs.losses[rows],
    )

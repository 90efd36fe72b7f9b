"""How well a predictor ranks training mixtures by their losses, with intervals and paired differences.

A prediction is a score per training set and target (higher is better), for one or several draws of the runs to which
it was fitted. Its skill is Spearman's rank correlation with lower loss: for each target, their mean over targets
(`mean`), and for the mean loss over all targets (`all`), which is the usual goal of mixing.

Intervals: training sets are resampled, the same ones for every predictor, so differences are paired. For the mean over
targets, three variances add up: over resamples, the jackknife variance over targets, and that of a mean over draws.
Only the mixtures vary: results do not extend to other parts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from workflow_scripts.statistics.effective_tokens import Runs, ranks, weighted_spearman

Array = NDArray[np.float64]
MEAN, ALL = "mean", "all"
FEWEST_RUNS = 8

RANKING_TYPES = {
    "experiment": "str",
    "model": "str",
    "metric": "str",
    "predictor": "str",
    "kernel": "str",
    "proxies": "int64",
    "scope": "str",
    "eval_set": "str",
    **dict.fromkeys(("spearman", "ci_low", "ci_high", "draw_sd", "regret"), "float64"),
    **dict.fromkeys(("draws", "n_runs"), "int64"),
    "note": "str",
}
DIFFERENCE_TYPES = {
    "experiment": "str",
    "model": "str",
    "proxies": "int64",
    "scope": "str",
    "eval_set": "str",
    **dict.fromkeys(("metric", "predictor", "kernel"), "str"),
    **dict.fromkeys(("other_metric", "other_predictor", "other_kernel"), "str"),
    **dict.fromkeys(("difference", "ci_low", "ci_high"), "float64"),
}


@dataclass(frozen=True)
class Prediction:
    """Scores of training sets for targets by one predictor.

    metric: the measure of alignment, or a predictor without one; proxies: runs to which it was fitted; scores: (draws,
    training sets, targets). Their mean over targets is the score for all targets at once.
    """

    metric: str
    predictor: str
    scores: Array
    proxies: int = 0
    kernel: str = ""
    note: str = ""

    @property
    def name(self) -> dict[str, Any]:
        return {"metric": self.metric, "predictor": self.predictor, "kernel": self.kernel}


@dataclass(frozen=True)
class View:
    """A selection of targets and training sets: all, without stand-ins, or out of domain."""

    name: str
    targets: tuple[int, ...]
    rows: NDArray[np.bool_]
    """Training sets x targets: the cells that are used."""
    given: Array | None = None
    """Training sets x targets: the values that partial rank correlations control for."""

    @property
    def whole(self) -> bool:
        """Whether the mean loss over its targets means the same for every training set."""
        return self.given is None and bool(self.rows[:, self.targets].all())


@dataclass(frozen=True)
class Skill:
    """Rank correlations of one prediction in one view: (draws, targets) and (draws,), and on every resample.

    If a view has no meaningful mean over all targets, `overall` has no draws.
    """

    by_target: Array
    overall: Array
    resampled_by_target: Array  # (resamples, targets), means over draws
    resampled_overall: Array

    @property
    def mean(self) -> float:
        return float(self.by_target.mean())


def views(runs: Runs, stand_ins: Sequence[str] = ()) -> list[View]:
    """Views: all; without targets with stand-in text; without the target's own part, and controlling for it."""
    every = tuple(range(len(runs.targets)))
    everything = np.ones_like(runs.losses, dtype=bool)
    found = [View("all", every, everything)]
    real = tuple(j for j in every if runs.targets[j] not in stand_ins)
    if real and real != every:
        found.append(View("without_stand_ins", real, everything))
    own = runs.own_shares
    away = ~(own > 0)
    enough = tuple(j for j in every if np.isfinite(own[:, j]).all() and away[:, j].sum() >= FEWEST_RUNS)
    if enough:
        found.append(View("no_own_share", enough, away))
    inside = tuple(j for j in every if np.isfinite(own[:, j]).all())
    if inside and len(runs.losses) >= FEWEST_RUNS:
        found.append(View("given_own_share", inside, everything, own))
    return found


def resample_weights(n_runs: int, count: int, seed: int) -> Array:
    """How often each training set is drawn, one row per resample."""
    rng = np.random.default_rng([seed, n_runs])
    return rng.multinomial(n_runs, np.full(n_runs, 1 / n_runs), count).astype(float)


def skill(prediction: Prediction, losses: Array, view: View, weights: Array) -> Skill:
    """Rank correlations with lower loss, on all training sets of the view and on every resample of them."""
    everywhere = np.vstack([np.ones(len(losses)), weights])
    columns = []
    for j in view.targets:
        rows = view.rows[:, j]
        of_losses, counted = ranks(-losses[rows, j]), everywhere[:, rows]
        given = None if view.given is None else ranks(view.given[rows, j])
        columns.append(_correlations(prediction.scores[:, rows, j].T, of_losses, given, counted))
    by_target = np.stack(columns, axis=2)  # (1 + resamples, draws, targets)
    overall = np.zeros((1 + len(weights), 0))
    if view.whole:
        of_mean = ranks(-losses[:, view.targets].mean(axis=1))
        scores = prediction.scores[:, :, view.targets].mean(axis=2)
        overall = _correlations(scores.T, of_mean, None, everywhere)
    return Skill(
        by_target[0],
        overall[0],
        by_target[1:].mean(axis=1),
        overall[1:].mean(axis=1) if view.whole else overall[1:, 0:0],
    )


def _correlations(scores: Array, losses: Array, given: Array | None, weights: Array) -> Array:
    """Rank correlation of each column of scores, under each row of weights; partial if `given` is set.

    losses and given are ranks.
    """
    ranked = ranks(scores)
    r = weighted_spearman(ranked, losses[:, None], weights)
    if given is None:
        return r
    with_given = weighted_spearman(ranked, given[:, None], weights)
    of_losses = weighted_spearman(losses[:, None], given[:, None], weights)
    rest = np.sqrt(np.maximum((1 - with_given**2) * (1 - of_losses**2), 0))
    product = r - with_given * of_losses
    return np.divide(product, rest, out=np.zeros_like(product), where=rest > 1e-9)


def ranking_rows(prediction: Prediction, runs: Runs, view: View, found: Skill) -> Iterator[dict[str, Any]]:
    """A row per target, one for their mean, and one for all at once if the view allows it."""
    key = {**prediction.name, "proxies": prediction.proxies, "scope": view.name, "note": prediction.note}
    key |= {"draws": len(prediction.scores)}
    regrets = []
    for column, j in enumerate(view.targets):
        rows, by_draw = view.rows[:, j], found.by_target[:, column]
        regrets.append(regret(prediction.scores[:, rows, j], runs.losses[rows, j]))
        yield {
            **key,
            "eval_set": runs.targets[j],
            **_value(by_draw, *_ends(by_draw, found.resampled_by_target[:, column])),
            "regret": regrets[-1],
            "n_runs": int(rows.sum()),
        }
    rows_each = int(view.rows[:, view.targets].sum(axis=0).mean())
    half = norm.ppf(0.975) * mean_error(found)
    value = _value(found.by_target.mean(axis=1), found.mean - half, found.mean + half)
    yield {**key, "eval_set": MEAN, **value, "regret": float(np.mean(regrets)), "n_runs": rows_each}
    if view.whole:
        losses = runs.losses[:, view.targets].mean(axis=1)
        yield {
            **key,
            "eval_set": ALL,
            **_value(found.overall, *_ends(found.overall, found.resampled_overall)),
            "regret": regret(prediction.scores[:, :, view.targets].mean(axis=2), losses),
            "n_runs": len(losses),
        }


def difference_rows(
    first: tuple[Prediction, Skill], second: tuple[Prediction, Skill], view: View
) -> Iterator[dict[str, Any]]:
    """Rank correlation of one prediction minus that of another, on the same resamples and targets."""
    (one, of_one), (other, of_other) = first, second
    key = {**one.name, **{f"other_{name}": value for name, value in other.name.items()}}
    key |= {"proxies": one.proxies, "scope": view.name}
    by_target = of_one.by_target.mean(axis=0) - of_other.by_target.mean(axis=0)
    resampled = (of_one.resampled_by_target - of_other.resampled_by_target).mean(axis=1)
    over_draws = sum(_draw_variance(found.by_target.mean(axis=1)) for found in (of_one, of_other))
    error = np.sqrt(resampled.var(ddof=1) + _jackknife_error(by_target) ** 2 + over_draws)
    yield {**key, "eval_set": MEAN, **_with_interval(float(by_target.mean()), float(error))}
    if view.whole:
        resampled = of_one.resampled_overall - of_other.resampled_overall
        over_draws = sum(_draw_variance(found.overall) for found in (of_one, of_other))
        value = float(of_one.overall.mean() - of_other.overall.mean())
        yield {
            **key,
            "eval_set": ALL,
            **_with_interval(value, float(np.sqrt(resampled.var(ddof=1) + over_draws))),
        }


def regret(scores: Array, losses: Array) -> float:
    """Loss of the training set with the highest score minus the lowest loss, mean over draws; a tie is a blind draw."""
    return float(np.mean([losses[draw == draw.max()].mean() for draw in scores]) - losses.min())


def mean_error(found: Skill) -> float:
    """Standard error of the mean over targets: over training sets, over targets, over draws."""
    over_runs = found.resampled_by_target.mean(axis=1).var(ddof=1)
    over_targets = _jackknife_error(found.by_target.mean(axis=0)) ** 2
    return float(np.sqrt(over_runs + over_targets + _draw_variance(found.by_target.mean(axis=1))))


def ranking_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(RANKING_TYPES)).astype(RANKING_TYPES)


def difference_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(DIFFERENCE_TYPES)).astype(DIFFERENCE_TYPES)


def _value(by_draw: Array, low: float, high: float) -> dict[str, float]:
    spread = float(by_draw.std(ddof=1)) if len(by_draw) > 1 else float("nan")
    # A symmetric interval may exceed 1, but a correlation cannot.
    ends = {"ci_low": max(low, -1.0), "ci_high": min(high, 1.0)}
    return {"spearman": float(by_draw.mean()), **ends, "draw_sd": spread}


def _ends(by_draw: Array, resampled: Array) -> tuple[float, float]:
    """Percentiles of the resamples, widened by the variance over draws."""
    low, high = np.quantile(resampled, [0.025, 0.975])
    middle = by_draw.mean()
    half = norm.ppf(0.975) * np.sqrt(_draw_variance(by_draw))
    return float(middle - np.hypot(middle - low, half)), float(middle + np.hypot(high - middle, half))


def _with_interval(value: float, error: float) -> dict[str, float]:
    half = float(norm.ppf(0.975) * error)
    return {"difference": value, "ci_low": value - half, "ci_high": value + half}


def _draw_variance(by_draw: Array) -> float:
    """Variance of the mean over draws."""
    return float(by_draw.var(ddof=1) / len(by_draw)) if len(by_draw) > 1 else 0.0


def _jackknife_error(values: Array) -> float:
    """Jackknife standard error of a mean, which is the usual one; 0 for a single target."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0

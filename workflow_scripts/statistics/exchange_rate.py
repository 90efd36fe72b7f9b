"""Alignment or size: k(x), how many times more tokens a diluted training set needs.

With L* the loss of the pure target at the smallest budget t0, and T(x) the tokens at which training at target
fraction x reaches L*, k(x) = T(x) / t0. Loss against tokens is made monotone by isotonic regression and read
by straight lines in log tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.stats import t

from workflow_scripts.command_line import UserError
from workflow_scripts.statistics.association import NAN
from workflow_scripts.statistics.experiments import Experiment, losses_of

Reached = Literal["within", "before", "never"]
RATE_TYPES = {
    "experiment": "str",
    "part": "str",
    "eval_set": "str",
    "train_set": "str",
    "fraction": "float64",
    "target_tokens": "int64",
    "target_loss": "float64",
    "k": "float64",
    "k_low": "float64",
    "k_high": "float64",
    "reached": "str",
    "high_reached": "bool",
    "label": "str",
    "n_runs": "int64",
    "note": "str",
}


@dataclass(frozen=True)
class Crossing:
    """Where a curve falls to a level; at the end of the grid that is a bound, not a place."""

    tokens: float
    reached: Reached


def crossing(tokens: NDArray[np.float64], losses: NDArray[np.float64], level: float) -> Crossing:
    """First tokens at which the monotone curve through (log tokens, loss) is down to `level`."""
    curve = isotonic_regression(losses, increasing=False).x
    below = np.flatnonzero(curve <= level)
    if not len(below):
        return Crossing(float(tokens[-1]), "never")
    j = int(below[0])
    if j == 0:
        return Crossing(float(tokens[0]), "within" if curve[0] == level else "before")
    share = (curve[j - 1] - level) / (curve[j - 1] - curve[j])
    logs = np.log(tokens)
    return Crossing(float(np.exp(logs[j - 1] + share * (logs[j] - logs[j - 1]))), "within")


def exchange_rates(experiment: Experiment, losses: pd.DataFrame) -> list[dict[str, Any]]:
    """k(x) of every training set of the grid on the experiment's target, for each part of the loss.

    The interval holds every T at which the difference from L* could be zero: the curve is moved up and down
    by t standard errors of that difference and read again (as Fieller does). Runs are the units: the variance
    between seeds is pooled over training sets at each budget.
    """
    if experiment.target is None or not experiment.fractions:
        return []
    if experiment.target not in experiment.eval_sets:
        raise UserError(
            f"experiment {experiment.name}: target {experiment.target!r} is not one of its evaluation sets"
        )
    own = losses_of(experiment, losses)
    own = own[(own["eval_set"] == experiment.target) & own["train_set"].isin(list(experiment.fractions))]
    rows: list[dict[str, Any]] = []
    for part, frame in own.groupby("part", sort=True):
        key = {"experiment": experiment.name, "part": part, "eval_set": experiment.target}
        rows += [{**key, **row} for row in _rates_of_part(experiment, frame)]
    return rows


def rate_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(RATE_TYPES)).astype(RATE_TYPES)


@dataclass(frozen=True)
class Curves:
    """Mean loss, runs and pooled variance between runs: training sets x budgets."""

    train_sets: list[str]
    tokens: NDArray[np.float64]
    mean: NDArray[np.float64]
    runs: NDArray[np.float64]
    variance: NDArray[np.float64]
    degrees: float


def curves_of(frame: pd.DataFrame) -> Curves:
    """Curves from rows of train_set, tokens, seed and loss."""
    cells = frame.groupby(["train_set", "tokens"])["loss"]
    mean, runs, variance = (cells.agg(how).unstack() for how in ("mean", "count", "var"))
    counts = runs.fillna(0).to_numpy(dtype=float)
    spare = np.maximum(counts - 1, 0)
    squares = np.nan_to_num(variance.to_numpy(dtype=float)) * spare
    pooled = np.divide(
        squares.sum(axis=0),
        spare.sum(axis=0),
        out=np.full(spare.shape[1], NAN),
        where=spare.sum(axis=0) > 0,
    )
    return Curves(
        train_sets=list(mean.index),
        tokens=mean.columns.to_numpy(dtype=float),
        mean=mean.to_numpy(dtype=float),
        runs=counts,
        variance=pooled,
        degrees=float(spare.sum(axis=0).min()),
    )


def rate(
    tokens: NDArray[np.float64], mean: NDArray[np.float64], half: NDArray[np.float64], level: float
) -> dict[str, Any]:
    """k and its interval for one curve, given half the width of the interval of (curve - level) at each budget.

    Tokens are counted from the first budget. NaN widths give no interval.
    """
    found = crossing(tokens, mean, level)
    row = {"k": found.tokens / tokens[0], "reached": found.reached, "label": _label(found, tokens[0])}
    if np.isnan(half).any():
        return {
            **row,
            "k_low": NAN,
            "k_high": NAN,
            "high_reached": False,
            "note": "one run each: no interval",
        }
    low, high = crossing(tokens, mean - half, level), crossing(tokens, mean + half, level)
    return {
        **row,
        "k_low": low.tokens / tokens[0],
        "k_high": high.tokens / tokens[0],
        "high_reached": high.reached != "never",
        "note": "",
    }


def _rates_of_part(experiment: Experiment, frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    curves = curves_of(frame)
    fractions = [experiment.fractions[name] for name in curves.train_sets]
    pure = [i for i, fraction in enumerate(fractions) if fraction == 1]
    level = float(curves.mean[pure, 0].mean()) if pure else NAN
    quantile = t.ppf(0.975, curves.degrees) if curves.degrees > 0 else NAN
    level_variance = curves.variance[0] / max(curves.runs[pure, 0].sum(), 1)
    for i in np.argsort(-np.array(fractions), kind="stable"):
        row = {
            "train_set": curves.train_sets[i],
            "fraction": fractions[i],
            "target_tokens": int(curves.tokens[0]),
            "target_loss": level,
            "n_runs": int(curves.runs[i].max()),
        }
        if np.isnan(level) or np.isnan(curves.mean[i]).any():
            yield {**row, **UNKNOWN, "note": "this set or the pure target lacks a loss at some budget"}
        elif i in pure:
            yield {**row, **UNKNOWN, **BY_DEFINITION}
        else:
            half = quantile * np.sqrt(curves.variance / curves.runs[i] + level_variance)
            yield {**row, **rate(curves.tokens, curves.mean[i], half, level)}


UNKNOWN = {"k": NAN, "k_low": NAN, "k_high": NAN, "reached": "unknown", "high_reached": False, "label": ""}
BY_DEFINITION = {"k": 1.0, "reached": "within", "high_reached": True, "label": "1x", "note": "by definition"}


def _label(found: Crossing, smallest: float) -> str:
    sign = {"never": "> ", "before": "< ", "within": ""}[found.reached]
    return f"{sign}{found.tokens / smallest:.3g}x"

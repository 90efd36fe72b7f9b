"""Alignment or size: k, how many times more tokens another training set needs than the target's own.

Let L be the loss of the target's own training set at a budget t (the level), and T the tokens at which another
training set reaches L. Then k = T / t. Every budget except the largest is a level. Loss against tokens is made
monotone by isotonic regression and interpolated by straight lines in log tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.stats import t

from workflow_scripts.errors import UserError
from workflow_scripts.statistics.association import NAN
from workflow_scripts.statistics.experiments import Experiment, losses_of

Reached = Literal["within", "before", "never"]
RATE_TYPES = {
    "experiment": "str",
    "part": "str",
    "eval_set": "str",
    "reference": "str",
    "train_set": "str",
    "fraction": "float64",
    "level_tokens": "int64",
    "level_loss": "float64",
    "k": "float64",
    "k_low": "float64",
    "k_high": "float64",
    "reached": "str",
    "low_reached": "str",
    "high_reached": "str",
    "trend": "float64",
    "label": "str",
    "n_runs": "int64",
    "note": "str",
}
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Crossing:
    """The tokens at which a curve falls to a level; at an end of the grid they are only a bound."""

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
    """k of every training set on every evaluation set that has a training set of its own, at every level.

    The interval contains every T at which the difference from L could be zero: the curve is moved up and down by t
    standard errors of that difference, and crossings are found again (as Fieller does). Runs are the units; each set
    has its own variance between seeds, and Welch's degrees of freedom.
    """
    if experiment.target is not None and experiment.target not in experiment.eval_sets:
        raise UserError(
            f"experiment {experiment.name}: target {experiment.target!r} is not one of its evaluation sets"
        )
    own = losses_of(experiment, losses)
    rows: list[dict[str, Any]] = []
    for (part, eval_set), frame in own.groupby(["part", "eval_set"], sort=True):
        reference = own_training_set(experiment, str(eval_set))
        if reference is not None and frame["tokens"].nunique() > 1:
            key = {"experiment": experiment.name, "part": part, "eval_set": eval_set}
            rows += [{**key, **row} for row in _rates_on(experiment, frame, reference)]
    return rows


def own_training_set(experiment: Experiment, eval_set: str) -> str | None:
    """An evaluation set's own training set.

    In a grid it is the pure target. Otherwise it is the set of the same name, if there is one. Else, among the sets
    in-domain for it, it is the one in-domain for the fewest evaluation sets (a mixture is in-domain for those of all
    its parts).
    """
    if experiment.fractions:
        pure = [name for name, fraction in experiment.fractions.items() if fraction == 1]
        return pure[0] if pure and eval_set == experiment.target else None
    if eval_set in experiment.train_sets:
        return eval_set
    near = [name for name in experiment.train_sets if experiment.in_domain(name, eval_set)]
    return min(near, key=lambda name: len(experiment.in_domain_for[name]), default=None)


def rate_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(RATE_TYPES)).astype(RATE_TYPES)


@dataclass(frozen=True)
class Curves:
    """Mean loss, runs and variance between runs: training sets x budgets; NaN where missing."""

    train_sets: list[str]
    tokens: NDArray[np.float64]
    mean: NDArray[np.float64]
    runs: NDArray[np.float64]
    variance: NDArray[np.float64]


def curves_of(frame: pd.DataFrame) -> Curves:
    """Curves from rows of train_set, tokens, seed and loss."""
    cells = frame.groupby(["train_set", "tokens"])["loss"]
    mean, runs, variance = (cells.agg(how).unstack() for how in ("mean", "count", "var"))
    return Curves(
        train_sets=list(mean.index),
        tokens=mean.columns.to_numpy(dtype=float),
        mean=mean.to_numpy(dtype=float),
        runs=runs.fillna(0).to_numpy(dtype=float),
        variance=variance.to_numpy(dtype=float),
    )


def half_widths(curves: Curves, i: int, reference: int, level: int) -> NDArray[np.float64]:
    """Half the width of the interval of (curve i - level) at each budget; NaN with one run on either side."""
    own, other = (
        curves.variance[i] / curves.runs[i],
        curves.variance[reference, level] / curves.runs[reference, level],
    )
    spare = curves.runs[i] - 1, curves.runs[reference, level] - 1
    total = own + other
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = total**2 / (own**2 / spare[0] + other**2 / spare[1])
    return np.where(total == 0, 0.0, t.ppf(0.975, degrees) * np.sqrt(total))


def rate(
    tokens: NDArray[np.float64],
    mean: NDArray[np.float64],
    half: NDArray[np.float64],
    level: float,
    start: float,
) -> dict[str, Any]:
    """k and its interval for one curve, given half the width of the interval of (curve - level) at each budget.

    Tokens are relative to `start`, the budget at which the target's own set has the level. NaN widths give no
    interval. `reached`, also for the ends of the interval, says whether a number is a value (`within`) or a bound:
    `before` is an upper bound, because the smallest budget is already past the level; `never` is a lower bound.
    """
    found = crossing(tokens, mean, level)
    row = {"k": found.tokens / start, "reached": found.reached, "label": _label(found, start)}
    if np.isnan(half).any():
        return {**row, **NO_INTERVAL, "note": "one run each: no interval"}
    low, high = crossing(tokens, mean - half, level), crossing(tokens, mean + half, level)
    return {
        **row,
        "k_low": low.tokens / start,
        "k_high": high.tokens / start,
        "low_reached": low.reached,
        "high_reached": high.reached,
        "note": "",
    }


def _rates_on(experiment: Experiment, frame: pd.DataFrame, reference: str) -> Iterator[dict[str, Any]]:
    curves = curves_of(frame)
    there = reference in curves.train_sets
    own = curves.train_sets.index(reference) if there else -1
    known = {name: experiment.fractions.get(name, NAN) for name in curves.train_sets}
    order = sorted(known, key=lambda name: (name != reference, -np.nan_to_num(known[name])))
    for name in order:
        i = curves.train_sets.index(name)
        rows = []
        values: list[tuple[float, float]] = []
        for j, start in enumerate(curves.tokens[:-1]):
            level = curves.mean[own, j] if there else NAN
            row = {
                "reference": reference,
                "train_set": name,
                "fraction": known[name],
                "level_tokens": int(start),
                "level_loss": float(level),
                "n_runs": int(curves.runs[i].max()),
            }
            if np.isnan(level) or np.isnan(curves.mean[i]).any():
                rows.append({**row, **UNKNOWN_RATE})
            elif name == reference:
                rows.append({**row, **BY_DEFINITION})
            else:
                half = half_widths(curves, i, own, j)
                found = rate(curves.tokens, curves.mean[i], half, level, start)
                rows.append({**row, **found})
                values += [(start, found["k"])] if found["reached"] == "within" else []
        yield from ({**row, "trend": trend(values)} for row in rows)


def trend(values: list[tuple[float, float]]) -> float:
    """The factor by which k grows with each doubling of the level, by least squares on logarithms.

    Uses only levels whose k is a value; NaN if there are fewer than two.
    """
    if len(values) < 2:
        return NAN
    tokens, k = np.log2(np.array(values, dtype=float)).T
    return float(2 ** np.polyfit(tokens, k, 1)[0])


NO_INTERVAL = {"k_low": NAN, "k_high": NAN, "low_reached": UNKNOWN, "high_reached": UNKNOWN}
UNKNOWN_RATE = {
    **NO_INTERVAL,
    "k": NAN,
    "reached": UNKNOWN,
    "label": "",
    "note": "this set or the target's own lacks a loss at some budget",
}
BY_DEFINITION = {**NO_INTERVAL, "k": 1.0, "reached": "within", "label": "1x", "note": "by definition"}


def _label(found: Crossing, start: float) -> str:
    sign = {"never": "> ", "before": "< ", "within": ""}[found.reached]
    return f"{sign}{found.tokens / start:.3g}x"

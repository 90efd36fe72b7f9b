"""Which data should I train on? Compares each metric's choice of training set with the best one, set by set."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest, kendalltau, t

from workflow_scripts.statistics.association import NAN
from workflow_scripts.statistics.correlation import Grid
from workflow_scripts.statistics.experiments import Panel
from workflow_scripts.statistics.intervals import two_way_jackknife
from workflow_scripts.statistics.regret import Regrets, interval, regrets
from workflow_scripts.statistics.short_run import SHORT_RUNS, ShortRun

BLIND = "random_choice"
BASELINES = (*SHORT_RUNS, BLIND)
"""Rows of the table that are not a measure of alignment."""
SCORES = ("regret", "regret_fraction", "kendall_tau")
RANGES = {"regret": (0.0, np.inf), "regret_fraction": (0.0, 1.0), "kendall_tau": (-1.0, 1.0)}
CHOICE_KEYS = ["experiment", "part", "tokens", "candidates", "metric", "eval_set"]
SECONDS = ["cost_seconds", "training_seconds"]
CHOICE_TYPES = {
    "experiment": "str",
    "part": "str",
    "tokens": "int64",
    "candidates": "str",
    "metric": "str",
    "alignment_part": "str",
    "eval_set": "str",
    "chosen": "str",
    "best": "str",
    **{
        f"{name}{end}": "float64"
        for name in ("top1", "regret", "regret_fraction", "kendall_tau")
        for end in ("", "_low", "_high")
    },
    "n_train": "float64",
    "n_eval": "int64",
    "n_seeds": "int64",
    "run_tokens": "float64",
    "cost_seconds": "float64",
    "training_seconds": "float64",
    "note": "str",
}


@dataclass(frozen=True)
class Costs:
    """Seconds of a metric on a part of a set, and of training one model up to a budget; NaN if unknown."""

    metric_on_set: Mapping[tuple[str, str, str], float]
    training: Callable[[Panel, str], float]

    def of_metric(self, metric: str, panel: Panel, train_sets: list[str], eval_sets: list[str]) -> float:
        sets = [f"{name}.train" for name in train_sets] + [f"{name}.eval" for name in eval_sets]
        part = panel.alignment_part(metric)
        return sum(self.metric_on_set.get((metric, part, name), NAN) for name in sets)

    def of_training(self, panel: Panel, train_sets: list[str]) -> float:
        return sum(self.training(panel, name) for name in train_sets)


@dataclass(frozen=True)
class Chooser:
    """Something that chooses a training set: the one with its highest value on an evaluation set."""

    name: str
    values: Grid
    seconds: Callable[[list[str], list[str]], float]
    """Its seconds on training sets and evaluation sets."""
    without_seed: Sequence[Grid] = ()
    """Its values without each seed; empty if they do not depend on seeds."""
    run_tokens: float = NAN
    about: str = ""

    def values_without(self, seed: int) -> Grid:
        return self.without_seed[seed] if self.without_seed else self.values


def choosers(panel: Panel, costs: Costs, short: Sequence[ShortRun]) -> list[Chooser]:
    """Every metric, short runs, and a blind draw."""

    def of_metric(metric: str) -> Chooser:
        return Chooser(
            metric,
            panel.alignments[metric],
            lambda train_sets, eval_sets: costs.of_metric(metric, panel, train_sets, eval_sets),
        )

    def of_runs(run: ShortRun) -> Chooser:
        return Chooser(
            run.name,
            run.alignment,
            lambda train_sets, _: run.n_seeds * costs.of_training(run.budget, train_sets),
            run.without_seed,
            run.budget.tokens,
            run.about,
        )

    blind = Chooser(BLIND, np.zeros_like(panel.loss), lambda *_: 0.0)
    return [*map(of_metric, panel.alignments), *map(of_runs, short), blind]


def choices(panel: Panel, costs: Costs, short: Sequence[ShortRun] = ()) -> list[dict[str, Any]]:
    """Rows of the table for one panel: every metric, short runs and a blind draw, each evaluation set and their mean.

    candidates: `all` training sets except controls; `out_of_domain`, those that are not in-domain for the evaluation
    set; `with_controls`, all and the controls.
    """
    rows = []
    no_control = ~(panel.controls & np.ones_like(panel.in_domain))
    groups = {"all": no_control}
    if panel.in_domain.any():
        groups["out_of_domain"] = no_control & ~panel.in_domain
    if panel.controls.any():
        groups["with_controls"] = np.ones_like(panel.in_domain)
    for candidates, allowed in groups.items():
        for chooser in choosers(panel, costs, short):
            key = {**panel.key, "candidates": candidates, "metric": chooser.name}
            key["alignment_part"] = (
                panel.alignment_part(chooser.name) if chooser.name in panel.alignments else ""
            )
            rows += [{**key, **row} for row in _rows_of(chooser, panel, allowed, costs)]
    return rows


def choice_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(CHOICE_TYPES)).astype(CHOICE_TYPES)


def with_seconds(choice: pd.DataFrame, cost: pd.DataFrame | None) -> pd.DataFrame:
    """The choices with columns of seconds, which have a separate file; null where unknown."""
    if cost is None:
        return choice.assign(**dict.fromkeys(SECONDS, NAN))
    return choice.merge(cost, on=CHOICE_KEYS, how="left", validate="one_to_one")


@dataclass(frozen=True)
class Scored:
    """The result of one metric's choice on one evaluation set."""

    chosen: str | None
    best: str
    top1: float
    regret: float
    regret_fraction: float
    kendall_tau: float


def score(alignment: NDArray[np.float64], loss: NDArray[np.float64], names: list[str]) -> Scored:
    """Choose the training set with the highest alignment; a tie is a blind draw.

    regret: nats above the best; regret_fraction: regret divided by the range from best to worst; kendall_tau
    (tau-b): of alignment with lower loss, 0 if all candidates have the same alignment.
    """
    chosen = alignment == alignment.max()
    best, worst = loss.min(), loss.max()
    regret = float(loss[chosen].mean() - best)
    constant = chosen.all() or worst == best
    return Scored(
        chosen=names[int(chosen.argmax())] if chosen.sum() == 1 else None,
        best=names[int(loss.argmin())],
        top1=float((loss[chosen] == best).mean()),
        regret=regret,
        regret_fraction=regret / float(worst - best) if worst > best else 0.0,
        kendall_tau=0.0 if constant else float(kendalltau(alignment, -loss).statistic),
    )


def _rows_of(
    chooser: Chooser, panel: Panel, allowed: NDArray[np.bool_], costs: Costs
) -> Iterator[dict[str, Any]]:
    usable = allowed & np.isfinite(chooser.values) & np.isfinite(panel.loss)
    columns = [j for j in range(len(panel.eval_sets)) if usable[:, j].sum() >= 2]
    seeds = len(panel.losses)

    def scores(values: Grid, loss: Grid) -> list[Scored]:
        return [_score_column(panel, values, loss, usable, j) for j in columns]

    def seconds(train_sets: list[str], eval_sets: list[str]) -> dict[str, float]:
        return {
            "cost_seconds": chooser.seconds(train_sets, eval_sets),
            "training_seconds": costs.of_training(panel, train_sets),
        }

    found = scores(chooser.values, panel.loss)
    for j, scored in zip(columns, found, strict=True):
        train_sets = [panel.train_sets[i] for i in np.flatnonzero(usable[:, j])]
        tied = scored.chosen is None and chooser.name != BLIND
        yield {
            "eval_set": panel.eval_sets[j],
            "chosen": scored.chosen,
            "best": scored.best,
            "top1": scored.top1,
            **{name: getattr(scored, name) for name in SCORES},
            "n_train": float(len(train_sets)),
            "n_eval": 1,
            "n_seeds": seeds,
            "run_tokens": chooser.run_tokens,
            **seconds(train_sets, [panel.eval_sets[j]]),
            "note": _joined(chooser.about, "several candidates share the highest alignment" if tied else ""),
        }
    if found:
        train_sets = [panel.train_sets[i] for i in np.flatnonzero(usable.any(axis=1))]
        deleted = (
            [scores(chooser.values_without(seed), panel.without_seed(seed)) for seed in range(seeds)]
            if seeds > 1
            else []
        )
        yield {
            "eval_set": None,
            "chosen": None,
            "best": None,
            **_means(found, deleted, _regrets(panel, chooser.values, usable[:, columns], columns)),
            "n_train": float(usable[:, columns].sum(axis=0).mean()),
            "n_eval": len(found),
            "n_seeds": seeds,
            "run_tokens": chooser.run_tokens,
            **seconds(train_sets, [panel.eval_sets[j] for j in columns]),
            "note": _joined(chooser.about, _note(len(found), seeds)),
        }


def _score_column(panel: Panel, alignment: Grid, loss: Grid, usable: NDArray[np.bool_], j: int) -> Scored:
    rows = np.flatnonzero(usable[:, j] & np.isfinite(loss[:, j]))
    return score(alignment[rows, j], loss[rows, j], [panel.train_sets[i] for i in rows])


def _regrets(
    panel: Panel, alignment: Grid, usable: NDArray[np.bool_], columns: list[int]
) -> dict[str, Regrets]:
    """Regrets on the evaluation sets of `columns`, the input of the intervals."""
    aligned = np.where(usable, alignment[:, columns], -np.inf)
    chosen = usable & (aligned == aligned.max(axis=0))
    shares = chosen / chosen.sum(axis=0)
    losses = np.where(usable, panel.losses[:, :, columns], np.nan)
    in_nats = regrets(shares, losses)
    return {"regret": in_nats, "regret_fraction": in_nats.as_fractions()}


def _means(
    found: list[Scored], without_seed: list[list[Scored]], of_regret: Mapping[str, Regrets]
) -> dict[str, float]:
    """Means over evaluation sets with their intervals.

    Kendall's tau: evaluation sets and seeds are deleted one at a time (the two variances add up, as for
    correlations). The share of right choices has Wilson's interval, which is valid near 0 and 1; regrets have their
    own interval (`regret.py`).
    """
    n = len(found)
    right = [scored.top1 for scored in found]
    row = {"top1": float(np.mean(right)), "top1_low": NAN, "top1_high": NAN}
    if n > 1 and set(right) <= {0.0, 1.0}:
        wilson = binomtest(int(sum(right)), n).proportion_ci(method="wilson")
        row |= {"top1_low": float(wilson.low), "top1_high": float(wilson.high)}
    for name in SCORES:
        values = np.array([getattr(scored, name) for scored in found])
        mean = float(values.mean())
        low, high = NAN, NAN
        if n > 1:
            by_eval = (values.sum() - values) / (n - 1)
            by_seed = np.array([np.mean([getattr(s, name) for s in scores]) for scores in without_seed])
            error, degrees = two_way_jackknife(by_eval, by_seed)
            half = float(t.ppf(0.975, degrees) * error) if error > 0 else 0.0
            if name in of_regret:
                low, high = interval(of_regret[name], at_least=mean + half)
            elif half > 0:
                low, high = mean - half, mean + half
            low, high = (float(np.clip(end, *RANGES[name])) for end in (low, high))
        row |= {name: mean, f"{name}_low": low, f"{name}_high": high}
    return row


def _note(n_eval: int, seeds: int) -> str:
    notes = []
    if n_eval == 1:
        notes.append("one evaluation set: no interval")
    if seeds == 1:
        notes.append("one seed: the intervals do not include training noise")
    return _joined(*notes)


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))

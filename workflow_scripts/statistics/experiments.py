"""Experiments as inputs of the statistics: which pairs of sets are compared, their alignment and their loss."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow_scripts.errors import UserError
from workflow_scripts.statistics.correlation import Grid
from workflow_scripts.statistics.grids import grid_of
from workflow_scripts.tokens.parts import WHOLE, with_part

logger = logging.getLogger(__name__)

ALIGNMENT_COLUMNS = {
    "alignment": "alignment",
    "ci_low": "alignment_low",
    "ci_high": "alignment_high",
    "calibrated": "calibrated",
    "calibrated_low": "calibrated_low",
    "calibrated_high": "calibrated_high",
}
CELL = ["experiment", "part", "tokens"]


@dataclass(frozen=True)
class Experiment:
    """The keys of one entry of `experiments:` that statistics need.

    Without `tokens`: every budget with losses. Without `train_sets` (losses measured elsewhere): every set with losses.
    """

    name: str
    kind: str
    train_sets: tuple[str, ...]
    eval_sets: tuple[str, ...]
    recipe: str = ""
    tokens: tuple[int, ...] = ()
    fractions: Mapping[str, float] = field(default_factory=dict)
    target: str | None = None
    in_domain_for: Mapping[str, Sequence[str]] = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)
    """Training sets that share text or origin; a set that is not named is its own family."""

    controls: Sequence[str] = ()
    """Training sets that show what a measure reacts to; they are not real candidates for training."""

    def family(self, train_set: str) -> str:
        return self.families.get(train_set, train_set)

    def in_domain(self, train_set: str, eval_set: str) -> bool:
        return eval_set in self.in_domain_for.get(train_set, ())


def experiments_from_json(text: str) -> list[Experiment]:
    """The experiments of a JSON list; null and missing keys mean the default; other keys are ignored."""
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as mistake:
        raise UserError(f"--experiments: not JSON ({mistake})") from None
    if not entries or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError("--experiments: must be a JSON list of objects, one per experiment")
    return [_experiment(entry) for entry in entries]


def _experiment(entry: dict[str, Any]) -> Experiment:
    needed = ["name", "kind", "eval_sets"] + ([] if entry.get("kind") == "recorded" else ["train_sets"])
    missing = [key for key in needed if not entry.get(key)]
    if missing:
        raise UserError(f"--experiments: {entry.get('name', entry)!r} lacks {', '.join(missing)}")
    tokens = entry.get("tokens") or ()
    return Experiment(
        name=entry["name"],
        kind=entry["kind"],
        train_sets=tuple(entry.get("train_sets") or ()),
        eval_sets=tuple(entry["eval_sets"]),
        recipe=entry.get("recipe") or "",
        tokens=(tokens,) if isinstance(tokens, int) else tuple(tokens),
        fractions=entry.get("fractions") or {},
        target=entry.get("target"),
        in_domain_for=entry.get("in_domain_for") or {},
        families=entry.get("families") or {},
        controls=tuple(entry.get("controls") or ()),
    )


@dataclass(frozen=True)
class Panel:
    """The losses of one experiment at one budget and part, and the alignments of the same pairs by each metric.

    Alignments are of the same part as the losses, for every metric measured on that part; for other metrics they are of
    whole rows. Grids are training sets x evaluation sets, NaN where a pair is missing. Losses have seeds as the first
    axis.
    """

    experiment: Experiment
    part: str
    tokens: int
    train_sets: tuple[str, ...]
    eval_sets: tuple[str, ...]
    losses: NDArray[np.float64]
    alignments: dict[str, Grid]
    in_domain: NDArray[np.bool_]
    note: str
    of_whole: Mapping[str, Grid] = field(default_factory=dict)
    """Alignments of whole rows, for the metrics whose `alignments` are of another part."""

    def alignment_part(self, metric: str) -> str:
        """The part on which a metric's `alignments` were measured."""
        return self.part if metric in self.of_whole else WHOLE

    @property
    def key(self) -> dict[str, Any]:
        """The columns that identify the panel of a table's row; `part` is that of the losses."""
        return {"experiment": self.experiment.name, "part": self.part, "tokens": self.tokens}

    @property
    def controls(self) -> NDArray[np.bool_]:
        """Whether each training set is a control, as a column."""
        return np.array([[name in self.experiment.controls] for name in self.train_sets], dtype=bool)

    @property
    def families(self) -> tuple[str, ...]:
        """The family of each training set: the independent units of the statistics."""
        return tuple(self.experiment.family(name) for name in self.train_sets)

    @property
    def family_numbers(self) -> NDArray[np.intp]:
        """The same as numbers, from 0 in the order of first appearance."""
        places = {name: place for place, name in enumerate(dict.fromkeys(self.families))}
        return np.array([places[name] for name in self.families], dtype=np.intp)

    @property
    def loss(self) -> Grid:
        """Mean over seeds; NaN where no seed has a loss."""
        return _mean_over_seeds(self.losses)

    def without_seed(self, index: int) -> Grid:
        """Mean over all seeds but one."""
        return _mean_over_seeds(np.delete(self.losses, index, axis=0))

    def pair_grid(self, pairs: pd.DataFrame, column: str) -> Grid:
        """A column of a table of (source, target) sets, such as a covariate, for the pairs of this panel."""
        return grid_of(as_pairs(pairs), column, self.train_sets, self.eval_sets)


def panels(
    alignment: pd.DataFrame, losses: pd.DataFrame, experiments: Sequence[Experiment]
) -> Iterator[Panel]:
    """One panel per experiment, part and budget that has losses, in a fixed order."""
    pairs = as_pairs(alignment)
    for experiment in experiments:
        own = losses_of(experiment, losses)
        if own.empty:
            logger.warning("experiment %s: no losses, so it is left out", experiment.name)
        for (part, tokens), frame in own.groupby(["part", "tokens"], sort=True):
            yield _panel(experiment, str(part), int(tokens), frame, pairs)


def losses_of(experiment: Experiment, losses: pd.DataFrame) -> pd.DataFrame:
    """Losses of its training sets, evaluation sets and budgets, without the untrained base."""
    own = losses[(losses["experiment"] == experiment.name) & losses["eval_set"].isin(experiment.eval_sets)]
    if experiment.train_sets:
        own = own[own["train_set"].isin(experiment.train_sets)]
    return own[own["tokens"].isin(experiment.tokens)] if experiment.tokens else own


def _panel(
    experiment: Experiment, part: str, tokens: int, losses: pd.DataFrame, pairs: pd.DataFrame
) -> Panel:
    seen_train, seen_eval = set(losses["train_set"]), set(losses["eval_set"])
    aligned = set(pairs["train_set"])
    wanted = experiment.train_sets or tuple(sorted(seen_train))
    train_sets = tuple(name for name in wanted if name in seen_train and name in aligned)
    eval_sets = tuple(name for name in experiment.eval_sets if name in seen_eval)
    absent = [name for name in wanted if name not in train_sets]
    metrics = sorted(pairs["metric"].unique())
    of_part = alignments_for(part, pairs, train_sets, eval_sets)
    whole = pairs[pairs["part"] == WHOLE]
    beside = sorted(of_part.loc[of_part["part"] != WHOLE, "metric"].unique())

    def grids(rows: pd.DataFrame, names: Sequence[str]) -> dict[str, Grid]:
        return {
            name: grid_of(rows[rows["metric"] == name], "alignment", train_sets, eval_sets) for name in names
        }

    return Panel(
        experiment=experiment,
        part=part,
        tokens=tokens,
        train_sets=train_sets,
        eval_sets=eval_sets,
        losses=np.stack(
            [grid_of(rows, "loss", train_sets, eval_sets) for _, rows in losses.groupby("seed", sort=True)]
        ),
        alignments=grids(of_part, metrics),
        in_domain=np.array(
            [[experiment.in_domain(train, target) for target in eval_sets] for train in train_sets],
            dtype=bool,
        ).reshape(len(train_sets), len(eval_sets)),
        note=f"without {', '.join(absent)}: no losses or no alignment" if absent else "",
        of_whole=grids(whole, beside),
    )


def alignments_for(
    part: str, pairs: pd.DataFrame, train_sets: Sequence[str], eval_sets: Sequence[str]
) -> pd.DataFrame:
    """Alignments of these sets for losses of a part: of the same part if the metric was measured on it, else whole."""
    own = pairs[pairs["train_set"].isin(train_sets) & pairs["eval_set"].isin(eval_sets)]
    of_part = own[own["part"] == part]
    others = own[(own["part"] == WHOLE) & ~own["metric"].isin(of_part["metric"])]
    return pd.concat([of_part, others])


def _mean_over_seeds(losses: NDArray[np.float64]) -> Grid:
    present = np.isfinite(losses)
    counts = present.sum(axis=0)
    total = np.where(present, losses, 0.0).sum(axis=0)
    return np.divide(total, counts, out=np.full(counts.shape, np.nan), where=counts > 0)


def as_pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Rows whose source is a train side and whose target is an eval side, named by corpus."""
    chosen = with_part(table)
    chosen = chosen[chosen["source"].str.endswith(".train") & chosen["target"].str.endswith(".eval")]
    return chosen.assign(
        train_set=chosen["source"].str.removesuffix(".train"),
        eval_set=chosen["target"].str.removesuffix(".eval"),
    )


def with_mixtures(alignment: pd.DataFrame, mixtures: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Alignments of sets and of recorded mixtures in one table; a mixture counts as a train side."""
    sides = [
        table.assign(source=table["train_set"] + ".train", target=table["eval_set"] + ".eval").drop(
            columns=["train_set", "eval_set"]
        )
        for table in mixtures
    ]
    return pd.concat([with_part(alignment), *map(with_part, sides)], ignore_index=True)


def points(alignment: pd.DataFrame, losses: pd.DataFrame, experiments: Sequence[Experiment]) -> pd.DataFrame:
    """Points of scatter plots: alignment and mean loss per experiment, metric, pair of sets, part and budget."""
    pairs = as_pairs(alignment).rename(columns=ALIGNMENT_COLUMNS)
    pairs = pairs[["metric", "part", "train_set", "eval_set", *ALIGNMENT_COLUMNS.values()]]
    found = []
    for experiment in experiments:
        means = (
            losses_of(experiment, losses)
            .groupby([*CELL, "train_set", "eval_set"], sort=True)["loss"]
            .agg(loss="mean", loss_sd="std", n_seeds="count")
            .reset_index()
        )
        parts = sorted(means["part"].unique()) or [WHOLE]
        joined = pd.concat(_with_alignments(means[means["part"] == part], part, pairs) for part in parts)
        joined["kind"] = experiment.kind
        joined["fraction"] = joined["train_set"].map(experiment.fractions).astype(float)
        joined["in_domain"] = [
            experiment.in_domain(train, target)
            for train, target in zip(joined["train_set"], joined["eval_set"], strict=True)
        ]
        joined["is_control"] = joined["train_set"].isin(experiment.controls)
        found.append(joined)
    order = ["experiment", "metric", "train_set", "eval_set", "part", "tokens"]
    return pd.concat(found)[list(POINT_TYPES)].sort_values(order, ignore_index=True).astype(POINT_TYPES)


def _with_alignments(means: pd.DataFrame, part: str, pairs: pd.DataFrame) -> pd.DataFrame:
    """Mean losses of a part with the alignments to compare, one row per metric."""
    found = alignments_for(part, pairs, means["train_set"], means["eval_set"])
    return means.merge(found.rename(columns={"part": "alignment_part"}), on=["train_set", "eval_set"])


POINT_TYPES = {
    "experiment": "str",
    "kind": "str",
    "metric": "str",
    "train_set": "str",
    "eval_set": "str",
    "part": "str",
    "tokens": "int64",
    "fraction": "float64",
    "alignment_part": "str",
    **dict.fromkeys(ALIGNMENT_COLUMNS.values(), "float64"),
    "loss": "float64",
    "loss_sd": "float64",
    "n_seeds": "int64",
    "in_domain": "bool",
    "is_control": "bool",
}

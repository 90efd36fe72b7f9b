"""Effects of each switch: on alignment, on the ranking of training sets, and on the correlation with loss.

A variant is an end (`published` or `corrected`) with one switch flipped. Its effect is always that of the correction:
the value with the switch as corrected minus the value with it as released, with all else as at the end. Intervals are
over the drawn batches, for these sets; they do not extend to other sets.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.intervals import between_sets
from workflow_scripts.statistics.association import NAN
from workflow_scripts.statistics.correlation import Centring, Grid, correlation
from workflow_scripts.statistics.grids import grid_of
from workflow_scripts.statistics.intervals import FEWEST_FAMILIES, two_way_jackknife
from workflow_scripts.statistics.ranking_agreement import mean_tau, tau_interval, tau_of_halves

ALL = "all"
SAME_BATCHES = "same_batches"
CORRELATIONS: dict[str, Centring] = {"r_pooled": "pooled", "r_within_eval": "within_eval"}
SWITCH_TYPES = {
    "variant": "str",
    "end": "str",
    "switch": "str",
    **dict.fromkeys(("alignment_mean", "alignment_low", "alignment_high"), "float64"),
    **dict.fromkeys(
        ("change_of_alignment", "change_of_alignment_low", "change_of_alignment_high"), "float64"
    ),
    **dict.fromkeys(("kendall_tau", "kendall_tau_low", "kendall_tau_high", "tau_of_halves"), "float64"),
    "top_choice_changed": "float64",
    **{
        f"{change}{name}{end}": "float64"
        for name in CORRELATIONS
        for change, ends in (("", ("",)), ("change_of_", ("", "_low", "_high")))
        for end in ends
    },
    **dict.fromkeys(("n_pairs", "n_train", "n_eval", "n_batches"), "int64"),
    "note": "str",
}

Tables = NDArray[np.float64]
"""Alignments of batches: training sets, evaluation sets, source batches, target batches."""


@dataclass(frozen=True)
class Flipped:
    """The alignments of one variant."""

    end: str
    switch: str | None
    is_corrected: bool
    tables: Tables
    note: str

    @property
    def means(self) -> Grid:
        """Alignment of every pair of sets."""
        return self.tables.mean(axis=(2, 3))


def switch_table(alignments: pd.DataFrame, losses: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """One row per end, per flip of a switch, and one (`all`) from the published end to the corrected one.

    `alignments` has a row per variant, pair of sets and pair of batches; `losses` one per seed. Correlations are with
    the mean loss over seeds at the experiment's largest budget, on whole documents where they were scored.
    """
    train_sets = list(alignments["train_set"].unique())
    eval_sets = list(alignments["eval_set"].unique())
    loss = loss_grid(losses, experiment, train_sets, eval_sets)
    variants = [
        _flipped(rows, train_sets, eval_sets)
        for _, rows in alignments.groupby(["end", "switch"], sort=False, dropna=False)
    ]
    ends = {variant.end: variant for variant in variants if variant.switch is None}
    rows = [_row(variant, ends[variant.end], loss) for variant in variants]
    together = Flipped("published", ALL, True, ends["corrected"].tables, "")
    rows.append({**_row(together, ends["published"], loss), "variant": ALL})
    return pd.DataFrame(rows, columns=list(SWITCH_TYPES)).astype(SWITCH_TYPES)


def loss_grid(losses: pd.DataFrame, experiment: str, train_sets: list[str], eval_sets: list[str]) -> Grid:
    """Mean over seeds at the largest budget, NaN where a pair has no loss."""
    own = losses[
        (losses["experiment"] == experiment)
        & losses["train_set"].isin(train_sets)
        & losses["eval_set"].isin(eval_sets)
    ]
    if own.empty:
        raise UserError(f"experiment {experiment} has no losses of the training and evaluation sets")
    part = "whole" if "whole" in set(own["part"]) else own["part"].min()
    own = own[(own["part"] == part) & (own["tokens"] == own["tokens"].max())]
    means = own.groupby(["train_set", "eval_set"], as_index=False)["loss"].mean()
    return grid_of(means, "loss", train_sets, eval_sets)


def _flipped(rows: pd.DataFrame, train_sets: list[str], eval_sets: list[str]) -> Flipped:
    axes = [
        pd.Index(train_sets),
        pd.Index(eval_sets),
        *(range(rows[name].max() + 1) for name in ("source_batch", "target_batch")),
    ]
    order = pd.MultiIndex.from_product(axes, names=["train_set", "eval_set", "source_batch", "target_batch"])
    values = rows.set_index(order.names)["alignment"].reindex(order).to_numpy()
    first = rows.iloc[0]
    return Flipped(
        end=first["end"],
        switch=first["switch"] if isinstance(first["switch"], str) else None,
        is_corrected=bool(first["is_corrected"]),
        tables=values.reshape([len(axis) for axis in axes]),
        note=first["note"],
    )


def _row(variant: Flipped, end: Flipped, loss: Grid) -> dict[str, Any]:
    """A variant compared with the end from which it was flipped."""
    n_train, n_eval, n_batches, _ = variant.tables.shape
    # Batch i of every set is one replicate, so the mean over sets is an ordinary table of batch pairs.
    alignment = between_sets(variant.tables.mean(axis=(0, 1)))
    row = {
        "variant": _name(variant),
        "end": variant.end,
        "switch": variant.switch,
        "alignment_mean": alignment.point,
        "alignment_low": alignment.low,
        "alignment_high": alignment.high,
        **{name: _r(variant.means, loss, centring) for name, centring in CORRELATIONS.items()},
        "tau_of_halves": tau_of_halves(variant.tables),
        "n_pairs": int(np.isfinite(loss).sum()),
        "n_train": n_train,
        "n_eval": n_eval,
        "n_batches": n_batches,
        "note": "; ".join(filter(None, (variant.note, _about_batches(variant), _about_sets(n_train)))),
    }
    if variant.switch is None:
        return row
    corrected, released = (variant, end) if variant.is_corrected else (end, variant)
    difference = between_sets((corrected.tables - released.tables).mean(axis=(0, 1)))
    row |= _change("alignment", difference.point, (difference.low, difference.high), variant)
    for name, centring in CORRELATIONS.items():
        row |= _change(name, *_change_of_r(corrected, released, loss, centring), variant)
    # Batches with the same rows do not show how much other rows would change a ranking.
    low, high = (NAN, NAN) if variant.switch == SAME_BATCHES else tau_interval(end.tables, variant.tables)
    moved = end.means.argmax(axis=0) != variant.means.argmax(axis=0)
    return row | {
        "kendall_tau": float(mean_tau(end.means, variant.means)) if n_train > 1 else NAN,
        "kendall_tau_low": low,
        "kendall_tau_high": high,
        "top_choice_changed": float(moved.sum()),
    }


def _change(name: str, point: float, ends: tuple[float, float], variant: Flipped) -> dict[str, float]:
    """A change and its interval; batches with the same rows do not show how much other rows would change it."""
    low, high = (NAN, NAN) if variant.switch == SAME_BATCHES else ends
    change = f"change_of_{name}"
    return {change: point, f"{change}_low": low, f"{change}_high": high}


def _change_of_r(
    corrected: Flipped, released: Flipped, loss: Grid, centring: Centring
) -> tuple[float, tuple[float, float]]:
    """Difference of two correlations with the same losses, by leaving out one source or one target batch at a time."""

    def difference(without: int | None = None, axis: int = 2) -> float:
        r = [
            _r(
                (tables if without is None else np.delete(tables, without, axis)).mean(axis=(2, 3)),
                loss,
                centring,
            )
            for tables in (corrected.tables, released.tables)
        ]
        return r[0] - r[1]

    sources, targets = (
        np.array([difference(batch, axis) for batch in range(corrected.tables.shape[axis])])
        for axis in (2, 3)
    )
    point = difference()
    error, degrees = two_way_jackknife(sources, targets)
    half = float(t.ppf(0.975, degrees) * error)
    low, high = np.clip([point - half, point + half], -2, 2)
    return point, (float(low), float(high))


def _r(alignment: Grid, loss: Grid, centring: Centring) -> float:
    """r, or NaN if the effects of the scope leave no degree of freedom."""
    present = np.isfinite(loss)
    effects = 1 if centring == "pooled" else int(present.any(axis=0).sum())
    if present.sum() - effects < 2:
        return NAN
    return float(correlation(alignment, np.where(present, loss, 0.0), present.astype(float), centring))


def _name(variant: Flipped) -> str:
    if variant.switch is None:
        return variant.end
    return f"{variant.end}, {variant.switch} {'corrected' if variant.is_corrected else 'as released'}"


def _about_batches(variant: Flipped) -> str:
    if variant.switch != SAME_BATCHES:
        return ""
    return "every batch has the same rows: its interval covers only label draws, and its changes have none"


def _about_sets(n_train: int) -> str:
    if n_train >= FEWEST_FAMILIES:
        return ""
    return f"{n_train} training sets: r and the ranking are described, not tested"

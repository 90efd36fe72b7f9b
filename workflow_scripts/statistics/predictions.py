"""How well alignment predicts left-out losses: of a training set, a family or an evaluation set.

The model is linear: an intercept for each evaluation set and one slope for each measure, by least squares on the other
cells. Double-centred, it also has an effect of each training set. Some effects can be estimated only from the left-out
cells: the mean loss of a left-out evaluation set or, double-centred, of a left-out training set. These are given:
prediction and baseline are both compared with the losses minus that mean. The baseline is the same model without a
measure: the mean of the other training sets on each evaluation set, or the sum of the two effects.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from workflow_scripts.statistics.association import NAN, too_few
from workflow_scripts.statistics.correlation import Centring, Grid, centred
from workflow_scripts.statistics.experiments import Panel
from workflow_scripts.statistics.intervals import FEWEST_FAMILIES, deletions, two_way_jackknife

CENTRINGS: tuple[Centring, ...] = ("within_eval", "double_centred")
TRAIN_SET, FAMILY, EVAL_SET = UNITS = ("train_set", "family", "eval_set")
ENDS = ("", "_low", "_high")
PREDICTION_TYPES = {
    **dict.fromkeys(("experiment", "part"), "str"),
    "tokens": "int64",
    **dict.fromkeys(("candidates", "scope", "left_out", "metric", "beside"), "str"),
    **{f"{name}{end}": "float64" for name in ("r2", "error") for end in ENDS},
    "baseline_error": "float64",
    **{
        f"{name}{of}{end}": "float64"
        for of in ("", "_beside")
        for name, ends in (("slope", ("",)), ("effect", ENDS))
        for end in ends
    },
    **dict.fromkeys(("n_points", "n_train", "n_families", "n_eval"), "int64"),
    "note": "str",
}


Model = tuple[int, ...]
"""Indices of its measures in the alignments of `Cells`."""


@dataclass(frozen=True)
class Cells:
    """Losses and alignments of the cells that are used; both are 0 elsewhere."""

    loss: Grid
    alignments: NDArray[np.float64]
    """The first axis is the measures."""
    weights: Grid
    families: NDArray[np.intp]


@dataclass(frozen=True)
class Errors:
    """Errors of predictions of left-out losses; NaN where nothing could be predicted, possibly everywhere."""

    of_model: Grid
    of_baseline: Grid

    @property
    def r2(self) -> float:
        without = float(np.nansum(self.of_baseline**2))
        return 1 - float(np.nansum(self.of_model**2)) / without if without > 0 else NAN

    @property
    def mean_error(self) -> float:
        return _mean_size(self.of_model)


def _mean_size(errors: Grid) -> float:
    found = np.abs(errors[np.isfinite(errors)])
    return float(found.mean()) if found.size else NAN


def cells_of(
    loss: Grid, alignments: Sequence[Grid], allowed: NDArray[np.bool_], families: NDArray[np.intp]
) -> Cells:
    """Cells that are allowed and have a loss and every alignment."""
    there = allowed & np.isfinite(loss) & np.isfinite(np.stack(alignments)).all(axis=0)
    return Cells(
        loss=np.where(there, loss, 0.0),
        alignments=np.where(there, np.stack(alignments), 0.0),
        weights=there.astype(float),
        families=families,
    )


def left_out_errors(cells: Cells, unit: str, centring: Centring, models: Sequence[Model]) -> list[Errors]:
    """Leave out every unit in turn, fit each model to the others, predict it."""
    of_sets = None if unit == TRAIN_SET else cells.families
    kept = deletions(cells.weights, of_sets)[int(unit == EVAL_SET)]
    known = _known(kept, cells.weights * (kept == 0), unit, centring)
    x, y = centred(cells.alignments[:, None], kept, centring), centred(cells.loss, kept, centring)
    found = known.any(axis=0)

    def left(rest: NDArray[np.float64]) -> Grid:
        rest = _less_own_level(rest, known, unit, centring)
        return np.where(found, np.where(known, rest, 0.0).sum(axis=0), np.nan)

    of_baseline = left(y)
    return [
        Errors(left(y - np.einsum("km,mkse->kse", slopes, x[list(model)])), of_baseline)
        for model, slopes in zip(models, _slopes(x, y, kept, models), strict=True)
    ]


def _slopes(
    x: NDArray[np.float64], y: NDArray[np.float64], kept: NDArray[np.float64], models: Sequence[Model]
) -> list[NDArray[np.float64]]:
    """Least squares with centred sides, one row per left-out unit, (K, measures); 0 where a measure does not vary."""
    gram = np.einsum("mkse,nkse,kse->kmn", x, x, kept, optimize=True)
    right = np.einsum("mkse,kse,kse->km", x, y, kept, optimize=True)
    # Measures differ in scale by orders of magnitude, so they are scaled for the cut-off of the pseudo-inverse.
    scale = np.sqrt(np.maximum(np.einsum("kmm->km", gram), np.finfo(float).tiny))
    gram, right = gram / scale[:, :, None] / scale[:, None, :], right / scale
    found = []
    for model in models:
        chosen = list(model)
        inverse = np.linalg.pinv(gram[:, chosen][:, :, chosen], rcond=1e-10, hermitian=True)
        found.append((inverse @ right[:, chosen, None])[..., 0] / scale[:, chosen])
    return found


def _known(
    kept: NDArray[np.float64], away: NDArray[np.float64], unit: str, centring: Centring
) -> NDArray[np.bool_]:
    """Left-out cells that can be predicted, because other cells determine the effects; one row per left-out unit."""
    known = away > 0
    if unit != EVAL_SET:
        known = known & (kept.sum(axis=-2, keepdims=True) > 0)
    elif centring == "double_centred":
        known = known & (kept.sum(axis=-1, keepdims=True) > 0)
    axis = _own_axis(unit, centring)
    # A cell that is its own mean has no information.
    return known if axis is None else known & (known.sum(axis=axis, keepdims=True) > 1)


def _less_own_level(
    rest: NDArray[np.float64], known: NDArray[np.bool_], unit: str, centring: Centring
) -> NDArray[np.float64]:
    """Subtract the mean of the left-out cells if only they determine their level."""
    axis = _own_axis(unit, centring)
    if axis is None:
        return rest
    total = np.where(known, rest, 0.0).sum(axis=axis, keepdims=True)
    return rest - total / np.maximum(known.sum(axis=axis, keepdims=True), 1)


def _own_axis(unit: str, centring: Centring) -> int | None:
    """The axis along which a left-out evaluation set or training set is averaged to get its level."""
    if unit == EVAL_SET:
        return -2
    return -1 if centring == "double_centred" else None


def predictions(
    panel: Panel, baselines: Mapping[str, Grid], beside: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Rows of the table for one panel: every single measure, and its pairs with each of `beside`.

    baselines: predictors that are not measures of alignment, such as short runs; not used in pairs.
    """
    no_control = ~(panel.controls & np.ones_like(panel.in_domain))
    groups = {"all": no_control}
    if panel.in_domain.any():
        groups["out_of_domain"] = no_control & ~panel.in_domain
    pairs = [(metric, other) for other in beside if other in panel.alignments for metric in panel.alignments]
    single = {**panel.alignments, **baselines}
    models = [*((name,) for name in single), *(pair for pair in pairs if pair[0] != pair[1])]
    for candidates, allowed in groups.items():
        for cells, names, found in _by_cells(panel, single, models, allowed):
            for centring in CENTRINGS:
                for model, row in _rows_of_scope(cells, centring, found):
                    metric, *other = (names[place] for place in model)
                    key = {"candidates": candidates, "scope": centring, "metric": metric}
                    yield {**panel.key, **key, "beside": "".join(other), **row}


def prediction_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(PREDICTION_TYPES)).astype(PREDICTION_TYPES)


def _by_cells(
    panel: Panel, grids: Mapping[str, Grid], models: Sequence[tuple[str, ...]], allowed: NDArray[np.bool_]
) -> Iterator[tuple[Cells, list[str], list[Model]]]:
    """Models grouped by their cells; usually all have the same cells."""
    there = {model: np.isfinite(np.stack([grids[name] for name in model])).all(axis=0) for model in models}
    groups: dict[bytes, list[tuple[str, ...]]] = {}
    for model in models:
        groups.setdefault(there[model].tobytes(), []).append(model)
    for own in groups.values():
        names = list(dict.fromkeys(name for model in own for name in model))
        cells = cells_of(panel.loss, [grids[name] for name in names], allowed, panel.family_numbers)
        yield cells, names, [tuple(names.index(name) for name in model) for model in own]


def _rows_of_scope(
    cells: Cells, centring: Centring, models: Sequence[Model]
) -> Iterator[tuple[Model, dict[str, Any]]]:
    """A row for each model and each kind of unit that can be left out."""
    cells, sizes = _trimmed(cells)
    several = {TRAIN_SET: sizes["n_train"], FAMILY: sizes["n_families"], EVAL_SET: sizes["n_eval"]}
    if sizes["n_train"] < 3 or (centring == "double_centred" and sizes["n_eval"] < 2):
        return
    enough = sizes["n_families"] >= FEWEST_FAMILIES
    without = _without_each(cells) if enough else ([], [])
    slopes = _described_slopes(cells, without, centring, models)
    for unit in UNITS:
        if several[unit] < 2 or (unit == FAMILY and several[FAMILY] == several[TRAIN_SET]):
            continue
        again = [[left_out_errors(one, unit, centring, models) for one in side] for side in without]
        for place, (model, errors) in enumerate(
            zip(models, left_out_errors(cells, unit, centring, models), strict=True)
        ):
            # If the baseline predicts the losses exactly, R2 is undefined.
            if np.isnan(errors.r2):
                continue
            ends = _intervals(errors, [[found[place] for found in side] for side in again]) if enough else {}
            yield (
                model,
                {
                    "left_out": unit,
                    "r2": errors.r2,
                    "error": errors.mean_error,
                    "baseline_error": _mean_size(errors.of_baseline),
                    **ends,
                    **slopes[model],
                    **sizes,
                    "note": _note(ends) if enough else too_few(sizes["n_train"], sizes["n_families"]),
                },
            )


def _trimmed(cells: Cells) -> tuple[Cells, dict[str, int]]:
    """Cells without empty sets, with families renumbered."""
    rows, columns = cells.weights.any(axis=1), cells.weights.any(axis=0)
    _, families = np.unique(cells.families[rows], return_inverse=True)
    block = np.ix_(rows, columns)
    kept = Cells(
        cells.loss[block],
        cells.alignments[:, rows][:, :, columns],
        cells.weights[block],
        families.astype(np.intp),
    )
    return kept, {
        "n_points": int(kept.weights.sum()),
        "n_train": int(rows.sum()),
        "n_families": int(families.max(initial=-1)) + 1,
        "n_eval": int(columns.sum()),
    }


def _without_each(cells: Cells) -> tuple[list[Cells], list[Cells]]:
    """The cells without each family, or group of many families, and without each evaluation set."""

    def without(side: NDArray[np.float64]) -> list[Cells]:
        if len(side) < 2:
            return []
        return [_trimmed(replace(cells, weights=kept))[0] for kept in side]

    by_family, by_eval = deletions(cells.weights, cells.families)
    return without(by_family), without(by_eval)


def _intervals(errors: Errors, again: Sequence[Sequence[Errors]]) -> dict[str, float]:
    """Intervals of R2 and of the mean error: repeats everything without each family and without each evaluation set.

    The interval of the error is computed on its logarithm, and that of R2 on the logarithm of 1 - R2. Its upper end is
    the higher of two: near zero R2 behaves like a square, and only the interval on the scale of its root is wide
    enough upwards.
    """
    left = [np.array([_log(1 - one.r2) for one in side]) for side in again]
    low, high = _ends(_log(1 - errors.r2), left)
    of_root, _ = _ends(_root(_log(1 - errors.r2)), [_root(side) for side in left])
    by_error = [np.array([_log(one.mean_error) for one in side]) for side in again]
    error = _ends(_log(errors.mean_error), by_error)
    return {
        "r2_low": 1 - np.exp(high),
        "r2_high": 1 - np.exp(min(low, of_root * abs(of_root))),
        "error_low": np.exp(error[0]),
        "error_high": np.exp(error[1]),
    }


def _note(ends: Mapping[str, float]) -> str:
    undefined = any(np.isnan(end) for end in ends.values())
    return "no interval: perfect or undefined once a set is left out" if undefined else ""


def _log(value: float) -> float:
    return float(np.log(value)) if value > 0 else NAN


def _root(values: Any) -> Any:
    return np.sign(values) * np.sqrt(np.abs(values))


def _ends(value: float, by_unit: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """The interval of the two-way jackknife; NaN if a value is NaN."""
    error, degrees = two_way_jackknife(by_unit[0], by_unit[1])
    half = 0.0 if error == 0 else float(t.ppf(0.975, degrees) * error)
    return value - half, value + half


def _described_slopes(
    cells: Cells, without: tuple[list[Cells], list[Cells]], centring: Centring, models: Sequence[Model]
) -> dict[Model, dict[str, float]]:
    """Slopes of the fit to all cells, in nats per unit, and as effects in nats per standard deviation."""
    slopes, spreads = _slopes_and_spreads(cells, centring, models)
    again = [[_slopes_and_spreads(one, centring, models)[0] for one in side] for side in without]
    described = {}
    for number, model in enumerate(models):
        row: dict[str, float] = {}
        for place, of in enumerate(("", "_beside")[: len(model)]):
            slope, spread = slopes[number][place], spreads[model[place]]
            row |= {f"slope{of}": slope, f"effect{of}": slope * spread}
            if any(again):
                sides = [np.array([found[number][place] * spread for found in side]) for side in again]
                row[f"effect{of}_low"], row[f"effect{of}_high"] = _ends(slope * spread, sides)
        described[model] = row
    return described


def _slopes_and_spreads(
    cells: Cells, centring: Centring, models: Sequence[Model]
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    weights = cells.weights[None]
    y = centred(cells.loss, weights, centring)
    x = centred(cells.alignments[:, None], weights, centring)
    spreads = np.sqrt(np.einsum("mkse,mkse,kse->m", x, x, weights) / cells.weights.sum())
    return [slopes[0] for slopes in _slopes(x, y, weights, models)], spreads

"""Studies in which alignment predicts left-out losses: coverage of the intervals.

Loss and alignment are each an effect of the family (42% of the variance within evaluation sets), of the training set
(18%), and the same shares of the differences between evaluation sets. They correlate at `r` in all of them. The true R2
and the true mean error are those over many studies of the same design. The true slope is r, because alignment and loss
have equal variance; the effect is the slope in units of the study's standard deviation.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.statistics.correlation import Grid
from workflow_scripts.statistics.experiments import Experiment, Panel
from workflow_scripts.statistics.predictions import CENTRINGS, UNITS, cells_of, left_out_errors, predictions

# The number of each training set's family, and how many evaluation sets there are.
DESIGNS = {
    "6 alone x 8": (np.arange(6), 8),
    "9 in 6 families x 12": (np.array([0, 0, 0, 1, 1, 2, 3, 4, 5]), 12),
    "16 alone x 16": (np.arange(16), 16),
}
RS = (0.0, -0.3, -0.6, -0.95)
OF_SETS, OF_FAMILY, BETWEEN_EVAL = 0.6, 0.7, 3.0
MORE_STUDIES = 5
"""The truth comes from this many times more studies than the test of the intervals."""


def study(rng: np.random.Generator, families: NDArray[np.intp], n_eval: int, r: float) -> tuple[Grid, Grid]:
    """Alignment and loss."""

    def related(n: int, width: int) -> NDArray[np.float64]:
        pair = rng.normal(size=(2, n, width))
        pair[0] = r * pair[1] + np.sqrt(1 - r * r) * pair[0]
        return pair

    grids = np.zeros((2, len(families), n_eval))
    for width, share in ((1, OF_SETS), (n_eval, 1 - OF_SETS)):
        of_families = related(int(families.max()) + 1, width)[:, families]
        own = np.sqrt(OF_FAMILY) * of_families + np.sqrt(1 - OF_FAMILY) * related(len(families), width)
        grids += np.sqrt(share) * own
    alignment, loss = grids
    return alignment, loss + BETWEEN_EVAL * rng.normal(size=(1, n_eval))


def analysed(alignment: Grid, loss: Grid, families: NDArray[np.intp]) -> list[dict[str, Any]]:
    """Rows of our table."""
    train_sets, eval_sets = (tuple(map(str, range(n))) for n in loss.shape)
    named = {name: str(family) for name, family in zip(train_sets, families, strict=True)}
    panel = Panel(
        experiment=Experiment("simulated", "pretraining", train_sets, eval_sets, families=named),
        part="whole",
        tokens=1,
        train_sets=train_sets,
        eval_sets=eval_sets,
        losses=loss[None],
        alignments={"metric": alignment},
        in_domain=np.zeros(loss.shape, bool),
        note="",
    )
    return list(predictions(panel, {}, []))


def truths(
    rng: np.random.Generator, families: NDArray[np.intp], n_eval: int, r: float, studies: int
) -> dict[tuple[str, str], dict[str, float]]:
    """R2 and mean error over many studies, by what is left out and scope."""
    sums: dict[tuple[str, str], NDArray[np.float64]] = defaultdict(lambda: np.zeros(3))
    for _ in range(studies):
        alignment, loss = study(rng, families, n_eval, r)
        cells = cells_of(loss, [alignment], np.ones(loss.shape, bool), families)
        for unit, centring in product(UNITS, CENTRINGS):
            (found,) = left_out_errors(cells, unit, centring, [(0,)])
            squares = np.nansum(found.of_model**2), np.nansum(found.of_baseline**2)
            sums[unit, centring] += [*squares, found.mean_error]
    return {
        key: {"r2": 1 - of_model / of_baseline, "error": error / studies}
        for key, (of_model, of_baseline, error) in sums.items()
    }


def lines(studies: int, seed: int) -> Iterator[dict[str, Any]]:
    """One line per design, r, what is left out and scope: coverage of 95% intervals."""
    for (name, (families, n_eval)), r in product(DESIGNS.items(), RS):
        rng = np.random.default_rng([seed, len(families), n_eval, round(-100 * r)])
        true = truths(rng, families, n_eval, r, MORE_STUDIES * studies)
        found = defaultdict(list)
        for _ in range(studies):
            for row in analysed(*study(rng, families, n_eval, r), families):
                found[row["left_out"], row["scope"]].append(row)
        for (unit, centring), rows in found.items():
            own = true[unit, centring]
            yield {
                "design": name,
                "scope": centring,
                "left_out": unit,
                "method": "predictions",
                "r": r,
                "r2": round(own["r2"], 3),
                "covers_r2": _share(rows, "r2", [own["r2"]] * len(rows)),
                "covers_error": _share(rows, "error", [own["error"]] * len(rows)),
                "covers_effect": _share(rows, "effect", [r * row["effect"] / row["slope"] for row in rows]),
            }


def _share(rows: list[dict[str, Any]], what: str, values: list[float]) -> float:
    """Share of the studies whose interval contains the value."""
    held = [
        row[f"{what}_low"] <= value <= row[f"{what}_high"] for row, value in zip(rows, values, strict=True)
    ]
    return round(float(np.mean(held)), 3)

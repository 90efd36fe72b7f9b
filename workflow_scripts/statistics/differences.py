"""Is one metric better than another? Paired differences of correlations with the same losses."""

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow_scripts.statistics.association import NAN, Scope
from workflow_scripts.statistics.correlation import Grid, correlation
from workflow_scripts.statistics.experiments import Panel
from workflow_scripts.statistics.intervals import (
    FEWEST_FAMILIES,
    Interval,
    correlation_interval,
    deleted_correlations,
    difference_interval,
)

DIFFERENCE_TYPES = {
    "experiment": "str",
    "part": "str",
    "tokens": "int64",
    "scope": "str",
    "metric": "str",
    "other": "str",
    **dict.fromkeys(("r_metric", "r_other", "difference", "ci_low", "ci_high"), "float64"),
    "note": "str",
}


def metric_differences(panel: Panel, scopes: Iterable[Scope]) -> list[dict[str, Any]]:
    """r of a metric minus r of another over the same pairs of sets, for every two metrics of a panel.

    r is negative for a good metric, so a negative difference means that `metric` predicts better.
    """
    return [
        {
            **panel.key,
            "scope": scope.name,
            "metric": metric,
            "other": other,
            **_difference(
                panel.alignments[metric], panel.alignments[other], panel.loss, scope, panel.family_numbers
            ),
        }
        for scope in scopes
        for metric, other in combinations(panel.alignments, 2)
    ]


def difference_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(DIFFERENCE_TYPES)).astype(DIFFERENCE_TYPES)


def _difference(
    first: Grid, second: Grid, loss: Grid, scope: Scope, families: NDArray[np.intp]
) -> dict[str, Any]:
    present = scope.cells & np.isfinite(first) & np.isfinite(second) & np.isfinite(loss)
    block = np.ix_(present.any(axis=1), present.any(axis=0))
    first, second, loss = (np.where(present, grid, 0.0)[block] for grid in (first, second, loss))
    weights = present[block].astype(float)
    own = np.unique(families[present.any(axis=1)], return_inverse=True)[1]
    r = [float(correlation(grid, loss, weights, scope.centring)) for grid in (first, second)]
    row = {"r_metric": r[0], "r_other": r[1], "difference": r[0] - r[1], "ci_low": NAN, "ci_high": NAN}
    if np.isnan(row["difference"]):
        return {**row, "note": "one of the two is undefined in this scope"}
    if len(np.unique(own)) < FEWEST_FAMILIES:
        return {**row, "note": f"fewer than {FEWEST_FAMILIES} families of training sets: no interval"}
    low, high = difference_interval(
        *(
            _interval(grid, loss, weights, scope, value, own)
            for grid, value in ((first, r[0]), (second, r[1]))
        )
    )
    note = "" if np.isfinite(low) else "no interval: perfect or undefined once a set is left out"
    return {**row, "ci_low": low, "ci_high": high, "note": note}


def _interval(
    grid: Grid, loss: Grid, weights: Grid, scope: Scope, value: float, own: NDArray[np.intp]
) -> Interval:
    deleted = deleted_correlations(grid, loss, weights, scope.centring, families=own)
    low, high = correlation_interval(np.array(value), *deleted)
    return Interval(value, float(low), float(high), deleted)

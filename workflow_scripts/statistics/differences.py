"""Is one metric better than another? Paired differences of correlations on the same resamples."""

import warnings
from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow_scripts.statistics.association import NAN, Scope
from workflow_scripts.statistics.correlation import correlation
from workflow_scripts.statistics.experiments import Panel
from workflow_scripts.statistics.intervals import SMALLEST_TRAIN_SETS
from workflow_scripts.statistics.resampling import cluster_resamples

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


def metric_differences(
    panel: Panel, scopes: Iterable[Scope], bootstraps: int, seed: int
) -> list[dict[str, Any]]:
    """r of a metric less r of another, for every two metrics of a panel.

    Loss falls where alignment is high, so a negative difference means that `metric` predicts better. The
    interval is the percentile interval over resamples of training sets, evaluation sets and seeds that both
    metrics share.
    """
    rows = []
    resamples = cluster_resamples(panel.losses, bootstraps, seed)
    for scope in scopes:
        observed, resampled = {}, {}
        for metric, alignment in panel.alignments.items():
            present = (scope.cells & np.isfinite(alignment) & np.isfinite(panel.loss)).astype(float)
            values, loss = np.nan_to_num(alignment), np.nan_to_num(panel.loss)
            observed[metric] = float(correlation(values, loss, present, scope.centring))
            weights = present * resamples.weights
            resampled[metric] = correlation(values, np.nan_to_num(resamples.losses), weights, scope.centring)
        for metric, other in combinations(panel.alignments, 2):
            interval = _interval(panel, resampled[metric] - resampled[other])
            rows.append(
                {
                    **panel.key,
                    "scope": scope.name,
                    "metric": metric,
                    "other": other,
                    "r_metric": observed[metric],
                    "r_other": observed[other],
                    "difference": observed[metric] - observed[other],
                    **interval,
                }
            )
    return rows


def difference_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(DIFFERENCE_TYPES)).astype(DIFFERENCE_TYPES)


def _interval(panel: Panel, differences: NDArray[np.float64]) -> dict[str, Any]:
    if len(panel.train_sets) < SMALLEST_TRAIN_SETS:
        return {"ci_low": NAN, "ci_high": NAN, "note": f"fewer than {SMALLEST_TRAIN_SETS} training sets"}
    with warnings.catch_warnings():
        # All resamples undefined is a case that the note below tells of.
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanpercentile(differences, [2.5, 97.5])
    note = "" if np.isfinite(low) else "undefined in this scope"
    return {"ci_low": float(low), "ci_high": float(high), "note": note}

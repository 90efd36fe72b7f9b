"""How well each measure predicts loss and chooses training data, as a function of the rows that it reads."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from workflow_scripts.statistics.experiments import Experiment, Panel, panels
from workflow_scripts.statistics.skill import skill

CURVE_KEYS = ["experiment", "part", "tokens", "metric", "rows"]
_KEY_TYPES = {
    "experiment": "str",
    "part": "str",
    "tokens": "int64",
    "metric": "str",
    "rows": "int64",
}
CURVE_TYPES = {
    **_KEY_TYPES,
    "fewest_rows": "int64",
    **dict.fromkeys(("scope", "statistic"), "str"),
    **dict.fromkeys(("value", "ci_low", "ci_high"), "float64"),
}
COST_TYPES = {**_KEY_TYPES, "seconds": "float64"}


def rows_curve(
    alignment: pd.DataFrame, cost: pd.DataFrame, losses: pd.DataFrame, experiments: Sequence[Experiment]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Skill at each number of rows, and the seconds of the panel's sets.

    `fewest_rows` are the rows of the smallest set of the panel; sets with fewer rows than requested use all.
    """
    skills, costs = [], []
    for rows, of_size in alignment.groupby("rows", sort=True):
        spent = cost[cost["rows"] == rows].set_index(["metric", "set"])["seconds"]
        for panel in panels(of_size, losses, experiments):
            fewest = {metric: _fewest(panel, of_metric) for metric, of_metric in of_size.groupby("metric")}
            for row in skill(panel):
                skills.append({"rows": rows, "fewest_rows": fewest[row["metric"]], **row})
            costs += [{"rows": rows, **row} for row in _costs(panel, spent)]
    return (
        pd.DataFrame(skills, columns=list(CURVE_TYPES)).astype(CURVE_TYPES),
        pd.DataFrame(costs, columns=list(COST_TYPES)).astype(COST_TYPES),
    )


def _sets(panel: Panel) -> list[str]:
    return [f"{name}.train" for name in panel.train_sets] + [f"{name}.eval" for name in panel.eval_sets]


def _fewest(panel: Panel, alignment: pd.DataFrame) -> int:
    sets = _sets(panel)
    sources = alignment.loc[alignment["source"].isin(sets), "source_rows"]
    targets = alignment.loc[alignment["target"].isin(sets), "target_rows"]
    return int(min(sources.min(), targets.min()))


def _costs(panel: Panel, spent: "pd.Series[float]") -> Iterator[dict[str, Any]]:
    for metric in panel.alignments:
        of_sets = spent.reindex(
            [(metric, name) for name in _sets(panel)]
        )  # a set without rows has no seconds
        yield {**panel.key, "metric": metric, "seconds": float(of_sets.sum())}


def with_seconds(curve: pd.DataFrame, cost: pd.DataFrame | None) -> pd.DataFrame:
    """The curve with columns of seconds, which have a separate file; null where unknown."""
    if cost is None:
        return curve.assign(seconds=float("nan"))
    return curve.merge(cost, on=CURVE_KEYS, how="left", validate="many_to_one")


def best_size(curve: pd.DataFrame, metrics: Sequence[str], scope: str) -> tuple[str, int] | None:
    """The measure and the number of rows with the most negative r in a scope; among equals, the fewest rows."""
    r = curve[
        curve["metric"].isin(metrics) & (curve["scope"] == scope) & (curve["statistic"] == "pearson_r")
    ].dropna(subset=["value"])
    if r.empty:
        return None
    best = r.sort_values(["value", "rows"], kind="stable").iloc[0]
    return str(best["metric"]), int(best["rows"])

"""The table of docs/results/ that says for which measures a relation with loss is established."""

from collections.abc import Callable, Mapping

import pandas as pd

from workflow_scripts.records.markdown import NOTHING, of_number, of_panel, with_interval
from workflow_scripts.statistics.views import VIEWS, views_of

Analysis = Callable[[str], pd.DataFrame]
LEVEL = 0.05
SMALLEST_SHOWN = 0.001


def verdicts(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Correlation within evaluation sets in every view, p by joint relabelling, and the verdict; the best first.

    Yes: p after Holm below .05 and, in every view, an interval below zero. Fragile: only a part of that holds. No: no
    interval is below zero. Without intervals nothing is tested.
    """
    correlation = of_panel(table("analysis/correlation"), options)
    found = views_of(correlation, "within_eval").set_index(["metric", "view"]).sort_index()
    tested = correlation[
        (correlation["scope"] == "within_eval") & (correlation["statistic"] == "pearson_r")
    ].set_index("metric")
    rows = []
    for metric in tested["value"].sort_values().index:
        own = found.loc[metric]
        shown = {
            view: with_interval(own.loc[view], "value", "ci_low", "ci_high") if view in own.index else NOTHING
            for view in VIEWS
        }
        p, holm = tested.loc[metric, ["p_permutation", "p_holm"]]
        rows.append(
            {
                "metric": metric,
                **shown,
                "p": _of_p(p),
                "p, Holm": _of_p(holm),
                "predicts loss": verdict(own, holm),
            }
        )
    return pd.DataFrame(rows)


def verdict(views: pd.DataFrame, p_holm: float) -> str:
    """Of one measure: `views` has a row per view with `ci_low` and `ci_high`."""
    if pd.isna(p_holm) or views["ci_high"].isna().any():
        return "not tested"
    below = views["ci_high"] < 0
    if p_holm < LEVEL and below.all():
        return "yes"
    return "fragile" if below.any() else "no"


def _of_p(p: float) -> str:
    return f"< {SMALLEST_SHOWN}" if p < SMALLEST_SHOWN else of_number(p, 3)

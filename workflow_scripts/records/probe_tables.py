"""The table of docs/RESULTS.md about the effect of the probe on results."""

from collections.abc import Callable, Mapping

import pandas as pd

from workflow_scripts.records.markdown import NOTHING, of_number, of_panel

Analysis = Callable[[str], pd.DataFrame]
SHOWN = {
    "within r": ("within_eval", "pearson_r", 2),
    "double-centred r": ("double_centred", "pearson_r", 2),
    "regret, nats": ("all", "regret", 3),
}


def probes(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Every measure that depends on the probe: its value by the first probe, and the smallest and largest by any."""
    spread = of_panel(table("analysis/probe_spread"), options)
    rows = []
    for metric, of_metric in spread.groupby("metric", sort=False):
        row = {"metric": metric, "probes": str(of_metric["probe"].nunique())}
        for name, (scope, statistic, digits) in SHOWN.items():
            values = of_metric[(of_metric["scope"] == scope) & (of_metric["statistic"] == statistic)]["value"]
            row[name] = of_number(values.iloc[0], digits) if len(values) else NOTHING
            row[f"{name}, over probes"] = (
                f"{of_number(values.min(), digits)} to {of_number(values.max(), digits)}"
                if values.notna().any()
                else NOTHING
            )
        rows.append(row)
    return pd.DataFrame(rows)

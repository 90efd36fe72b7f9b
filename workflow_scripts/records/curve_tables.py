"""Tables of docs/RESULTS.md about the number of rows that a measure reads."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from workflow_scripts.records.markdown import NOTHING, of_number, of_panel, with_interval
from workflow_scripts.statistics.rows_curve import best_size, with_seconds

Analysis = Callable[[str], pd.DataFrame]
FISHER = "task2vec"


def rows_curve(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """One line per measure and number of rows; of only some measures with metric=NAME,NAME."""
    curve = _with_seconds(table, options)
    if "metric" in options:
        curve = curve[curve["metric"].isin(options["metric"].split(","))]
    keys = dict.fromkeys(zip(curve["metric"], curve["rows"], strict=True))
    return pd.DataFrame([_line(curve, metric, rows) for metric, rows in sorted(keys)])


def best_fisher(table: Analysis, options: Mapping[str, str]) -> tuple[float, dict[str, Any]] | None:
    """The best Fisher measure at its best number of rows: its line of the league, and its double-centred r."""
    curve = _with_seconds(table, options)
    fisher = [name for name in curve["metric"].unique() if name.startswith(FISHER)]
    best = best_size(curve, fisher, "double_centred")
    if best is None:
        return None
    line = _line(curve, *best)
    line["metric"] = f"{line['metric']}, {line.pop('rows')} rows"
    line.pop("rows of the smallest set")
    own = curve[(curve["metric"] == best[0]) & (curve["rows"] == best[1])]
    r = own[(own["scope"] == "double_centred") & (own["statistic"] == "pearson_r")]
    return float(r["value"].iloc[0]), line


def _with_seconds(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    return of_panel(with_seconds(table("analysis/rows_curve"), table("analysis/rows_curve_cost")), options)


def _line(curve: pd.DataFrame, metric: str, rows: int) -> dict[str, Any]:
    values = curve.set_index(["metric", "rows", "scope", "statistic"]).sort_index()

    def cell(scope: str, statistic: str, digits: int = 2) -> str:
        key = (metric, rows, scope, statistic)
        if key not in values.index:
            return NOTHING
        return with_interval(values.loc[key].to_dict(), "value", "ci_low", "ci_high", digits)

    own = values.loc[(metric, rows)].iloc[0]
    return {
        "metric": metric,
        "rows": f"{rows:,}",
        "rows of the smallest set": f"{int(own['fewest_rows']):,}",
        "pooled r": cell("pooled", "pearson_r"),
        "within r": cell("within_eval", "pearson_r"),
        "double-centred r": cell("double_centred", "pearson_r"),
        "best set chosen": cell("all", "top1"),
        "regret, nats": cell("all", "regret", 3),
        "seconds": of_number(own["seconds"], 1),
    }

"""How skill grows with the rows that a measure reads: a figure per experiment, a line per measure."""

import math

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, Panel, Tables, chart, layered, unless_isolated
from workflow_scripts.report.headline import (
    PART_NAMES,
    SCOPE_NAMES,
    experiments_and_parts,
    is_fisher,
    largest_budget,
)
from workflow_scripts.report.look import category_entries
from workflow_scripts.report.wording import number, plain, seconds, sentence
from workflow_scripts.statistics.rows_curve import best_size

R, CENTRED = "correlation within evaluation sets", "correlation, both main effects removed"
REGRET = "regret, nats"
SHOWN = {
    R: ("within_eval", "pearson_r"),
    CENTRED: ("double_centred", "pearson_r"),
    REGRET: ("all", "regret"),
}
COLUMNS = ["what", "metric", "rows", "fewest_rows", "value", "ci_low", "ci_high", "seconds"]


def rows_curve(tables: Tables) -> list[Figure]:
    """Every experiment and part at its largest budget in which something is defined."""
    curve = largest_budget(tables["rows_curve"])
    figures = [
        _figure(experiment, part, curve[(curve["experiment"] == experiment) & (curve["part"] == part)])
        for experiment, part in experiments_and_parts(curve)
    ]
    return [figure for figure in figures if figure.panels]


def _figure(experiment: str, part: str, curve: pd.DataFrame) -> Figure:
    data = pd.concat(
        [
            curve[(curve["scope"] == scope) & (curve["statistic"] == statistic)].assign(what=what)
            for what, (scope, statistic) in SHOWN.items()
        ],
        ignore_index=True,
    )[COLUMNS]
    data = data[data["value"].notna()].reset_index(drop=True)
    legend = Legend("metric", "Measure", category_entries(sorted(data["metric"].unique())))
    whole = part == "whole"
    return Figure(
        name=f"rows_curve_{experiment}" + ("" if whole else f"_{part}"),
        title=f"More rows: {plain(experiment)}" + ("" if whole else f", {PART_NAMES[part]}"),
        summary=_summary(curve),
        data=data,
        panels=tuple(_panel(str(what), rows, legend) for what, rows in data.groupby("what", sort=False)),
        legends=(legend,),
    )


def _panel(what: str, rows: pd.DataFrame, legend: Legend) -> Panel:
    sizes = sorted(int(size) for size in rows["rows"].unique())
    base = (
        chart()
        .transform_filter(f"datum.what === '{what}'")
        .encode(
            x=alt.X(
                "rows:Q",
                title="rows of a set",
                scale=alt.Scale(type="log", nice=False, padding=14),
                axis=alt.Axis(values=sizes, format="~s", grid=False),
            ),
            y=alt.Y("value:Q", title=what, scale=alt.Scale(zero=False)),
            color=alt.Color("metric:N", title=legend.title, scale=legend.scale("colour"), sort=None),
            opacity=unless_isolated("metric"),
        )
    )
    marks = base.mark_point().encode(
        shape=alt.Shape("metric:N", title=legend.title, scale=legend.scale("shape"), sort=None),
        tooltip=[
            "metric:N",
            alt.Tooltip("rows:Q", title="rows of a set"),
            alt.Tooltip("fewest_rows:Q", title="rows of the smallest set"),
            alt.Tooltip("value:Q", title=what, format=".3f"),
            alt.Tooltip("ci_low:Q", title="interval from", format=".3f"),
            alt.Tooltip("ci_high:Q", title="to", format=".3f"),
            alt.Tooltip("seconds:Q", title="seconds", format=".3g"),
        ],
    )
    return Panel(
        title=sentence(what),
        subtitle="",
        description=f"{sentence(what)} against the rows that a measure reads of each set, a line per measure.",
        chart=layered(base.mark_line(), marks),
        height=250,
    )


def _summary(curve: pd.DataFrame) -> str:
    scope = SHOWN[R][0]
    fisher = best_size(curve, [name for name in curve["metric"].unique() if is_fisher(name)], scope)
    overall = best_size(curve, list(curve["metric"].unique()), scope)
    if overall is None:
        return "No correlation could be computed at any number of rows."
    text = f"The best correlation with loss {SCOPE_NAMES[scope]}: {_at(curve, *overall)}"
    if fisher is not None and fisher != overall:
        text += f"; of the Fisher measures {_at(curve, *fisher)}"
    rows, fewest = int(curve["rows"].max()), int(curve["fewest_rows"].max())
    short = f" Some sets have only {fewest} rows and use all of them." if fewest < rows else ""
    return f"{text}. The number of rows was chosen with the same losses on which it is evaluated.{short}"


def _at(curve: pd.DataFrame, metric: str, rows: int) -> str:
    scope, statistic = SHOWN[R]
    found = curve[
        (curve["metric"] == metric)
        & (curve["rows"] == rows)
        & (curve["scope"] == scope)
        & (curve["statistic"] == statistic)
    ].iloc[0]
    spent = f", {seconds(found['seconds'])}" if math.isfinite(found["seconds"]) else ""
    return f"{plain(metric)} with {rows} rows (r = {number(found['value'])}{spent})"

"""Whether one set determines the result: the correlation without each family or evaluation set, by experiment."""

from dataclasses import replace

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, LegendEntry, Panel, Tables, chart, unless_isolated
from workflow_scripts.report.headline import (
    MOST_TRAIN_SETS,
    PART_NAMES,
    SCOPE_NAMES,
    experiments_and_parts,
    largest_budget,
    paper_metric,
)
from workflow_scripts.report.look import CATEGORIES, QUIET
from workflow_scripts.report.wording import number, plain, sentence

SIDES = Legend(
    "side",
    "Left out",
    (
        LegendEntry("family of training sets", CATEGORIES[0], "circle"),
        LegendEntry("evaluation set", CATEGORIES[1], "square"),
    ),
)
SIDE_NAMES = {"train": "family of training sets", "eval": "evaluation set"}
COLUMNS = ["metric", "side", "left_out", "pearson_r", "with_all"]


def leave_one_out(tables: Tables) -> list[Figure]:
    """Every experiment and part with a readable number of families, at its largest budget.

    Within evaluation sets, or pooled if there is one."""
    table = largest_budget(tables["leave_one_out"])
    table = table[table["pearson_r"].notna()]
    correlation = largest_budget(tables["correlation"])
    correlation = correlation[correlation["statistic"] == "pearson_r"]
    figures = []
    for experiment, part in experiments_and_parts(table):
        rows = table[(table["experiment"] == experiment) & (table["part"] == part)]
        several = rows.loc[rows["side"] == "eval", "left_out"].nunique() > 1
        scope = "within_eval" if several and "within_eval" in set(rows["scope"]) else "pooled"
        rows = rows[rows["scope"] == scope]
        whole = correlation[
            (correlation["experiment"] == experiment)
            & (correlation["part"] == part)
            & (correlation["scope"] == scope)
        ].set_index("metric")["value"]
        if 0 < rows["left_out"].nunique() <= MOST_TRAIN_SETS:
            figures.append(_figure(experiment, part, scope, rows.assign(with_all=rows["metric"].map(whole))))
    return figures


def _figure(experiment: str, part: str, scope: str, rows: pd.DataFrame) -> Figure:
    names = sorted(rows["metric"].unique())
    first = paper_metric(names)
    metrics = [first, *(name for name in names if name != first)]
    data = rows.assign(side=rows["side"].map(SIDE_NAMES))[COLUMNS].reset_index(drop=True)
    whole = part == "whole"
    return Figure(
        name=f"leave_one_out_{experiment}" + ("" if whole else f"_{part}"),
        title=f"Does one set determine the result? {sentence(plain(experiment))}"
        + ("" if whole else f", {PART_NAMES[part]}"),
        summary=_summary(first, data[data["metric"] == first], scope),
        data=data,
        panels=tuple(_panel(name, data[data["metric"] == name], scope) for name in metrics),
        legends=(replace(SIDES, entries=tuple(e for e in SIDES.entries if e.value in set(data["side"]))),),
        one_at_a_time="Measure",
        check=True,
    )


def _panel(metric: str, rows: pd.DataFrame, scope: str) -> Panel:
    base = chart().transform_filter(f"datum.metric === '{metric}'")
    value = float(rows["with_all"].iloc[0])
    extremes = [*rows["pearson_r"], value, 0.0]
    scale = alt.Scale(domain=[-1 if min(extremes) < 0 else 0, 1 if max(extremes) > 0 else 0])
    x = alt.X("pearson_r:Q", title="correlation with loss", scale=scale)
    # A set may be on both sides; each side then has its own row.
    place = alt.Y(
        "place:N",
        sort=alt.EncodingSortField("pearson_r", op="min"),
        title=None,
        axis=alt.Axis(labelExpr="replace(split(datum.label, '|')[0], /_/g, ' ')"),
    )
    marks = (
        base.transform_calculate(place="datum.left_out + '|' + datum.side")
        .mark_point(size=65)
        .encode(
            x=x,
            y=place,
            color=alt.Color("side:N", title=SIDES.title, scale=SIDES.scale("colour")),
            shape=alt.Shape("side:N", title=SIDES.title, scale=SIDES.scale("shape")),
            opacity=unless_isolated("side"),
            tooltip=[
                alt.Tooltip("left_out:N", title="without"),
                alt.Tooltip("side:N", title="as"),
                alt.Tooltip("pearson_r:Q", title="r", format=".3f"),
                alt.Tooltip("with_all:Q", title="with all sets", format=".3f"),
            ],
        )
    )
    all_sets = (
        alt.Chart(alt.InlineData(values=[{"value": value}]))
        .mark_rule(color=QUIET, strokeDash=[3, 3])
        .encode(x=alt.X("value:Q", title="correlation with loss", scale=scale))
    )
    return Panel(
        title=plain(metric),
        subtitle=f"{SCOPE_NAMES[scope]}; dashed: with all sets, r = {number(value)}",
        description=f"Correlation of {plain(metric)} with loss when each set is left out, {SCOPE_NAMES[scope]}.",
        chart=alt.layer(all_sets, marks),
        height=max(90, 22 * len(rows)),
    )


def _summary(metric: str, rows: pd.DataFrame, scope: str) -> str:
    low, high = rows.loc[rows["pearson_r"].idxmin()], rows.loc[rows["pearson_r"].idxmax()]
    flips = "changes its sign" if low["pearson_r"] < 0 < high["pearson_r"] else "keeps its sign"
    whole = rows["with_all"].iloc[0]
    weakest = high if whole < 0 else low
    return (
        f"For {plain(metric)}, {SCOPE_NAMES[scope]}, leaving out one family of training sets, "
        f"or one evaluation set, moves r between {number(low['pearson_r'])} "
        f"and {number(high['pearson_r'])} (with all: {number(whole)}): it {flips}. "
        f"It is weakest without {plain(weakest['left_out'])} as {weakest['side']}."
    )

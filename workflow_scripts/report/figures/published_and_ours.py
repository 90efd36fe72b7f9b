"""The share of variance explained in the paper and in our own runs, by the same functions in the same scopes."""

import math

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import (
    Figure,
    Legend,
    LegendEntry,
    Panel,
    Tables,
    chart,
    layered,
    unless_isolated,
)
from workflow_scripts.report.headline import (
    PAPER_METRICS,
    PUBLISHED_NAMES,
    SCOPE_NAMES,
    largest_budget,
    paper_metric,
)
from workflow_scripts.report.look import CATEGORIES
from workflow_scripts.report.wording import number, plain, sentence
from workflow_scripts.statistics.published import squared_interval

SCOPES = ("pooled", "within_eval", "double_centred")
ORIGIN = Legend(
    "origin",
    "Numbers",
    (LegendEntry("published", CATEGORIES[7], "square"), LegendEntry("this run", CATEGORIES[0], "circle")),
)
COLUMNS = ["origin", "what", "scope", "r2", "ci_low", "ci_high", "n", "note"]


def published_and_ours(tables: Tables) -> list[Figure]:
    """One figure; from our runs, the measures of the paper, or else the first measure."""
    theirs, ours = _theirs(tables["published"]), _ours(tables["correlation"])
    data = pd.concat([theirs, ours], ignore_index=True)[COLUMNS]
    return [
        Figure(
            name="published_and_ours",
            title="Published against ours",
            summary=_summary(theirs, ours),
            data=data,
            panels=tuple(
                _panel(scope, rows) for scope in SCOPES if len(rows := data[data["scope"] == scope])
            ),
            legends=(ORIGIN,),
            columns=2,
        )
    ]


def _theirs(published: pd.DataFrame) -> pd.DataFrame:
    rows = published[(published["statistic"] == "r2") & published["scope"].isin(SCOPES)]
    return rows.rename(columns={"value": "r2"}).assign(
        origin="published", what=rows["table"].map(PUBLISHED_NAMES)
    )


def _ours(correlation: pd.DataFrame) -> pd.DataFrame:
    names = sorted(correlation["metric"].unique())
    metrics = [name for name in PAPER_METRICS if name in names] or [paper_metric(names)]
    rows = largest_budget(correlation)
    rows = rows[
        (rows["statistic"] == "pearson_r") & rows["scope"].isin(SCOPES) & rows["metric"].isin(metrics)
    ]
    rows = rows[rows["value"].notna()]
    ends = [
        squared_interval(low, high) if math.isfinite(low) else (math.nan, math.nan)
        for low, high in zip(rows["ci_low"], rows["ci_high"], strict=True)
    ]
    return rows.assign(
        origin="this run",
        what=[
            plain(row["experiment"])
            + ("" if row["part"] == "whole" else f" ({row['part']})")
            + f", {plain(row['metric'])}"
            for _, row in rows.iterrows()
        ],
        r2=rows["value"] ** 2,
        ci_low=[low for low, _ in ends],
        ci_high=[high for _, high in ends],
        n=rows["n_points"],
    )


def _panel(scope: str, rows: pd.DataFrame) -> Panel:
    order = list(dict.fromkeys(rows["what"]))
    base = chart().transform_filter(f"datum.scope === '{scope}'")
    y = alt.Y("what:N", sort=order, title=None)
    axis = alt.Axis(values=[0, 0.5, 1], format="~g")
    scale = alt.Scale(domain=[0, 1])
    colour = alt.Color("origin:N", title=ORIGIN.title, scale=ORIGIN.scale("colour"))
    rules = (
        base.transform_filter("isValid(datum.ci_low)")
        .mark_rule(strokeWidth=2)
        .encode(
            x=alt.X("ci_low:Q", scale=scale, axis=axis, title="r²"),
            x2="ci_high:Q",
            y=y,
            color=colour,
            opacity=unless_isolated("origin", shown=0.6),
        )
    )
    marks = base.mark_point(size=65).encode(
        x=alt.X("r2:Q", scale=scale, axis=axis, title="r²"),
        y=y,
        color=colour,
        shape=alt.Shape("origin:N", title=ORIGIN.title, scale=ORIGIN.scale("shape")),
        opacity=unless_isolated("origin"),
        tooltip=[
            alt.Tooltip("what:N", title="table or experiment"),
            alt.Tooltip("r2:Q", title="r²", format=".3f"),
            alt.Tooltip("ci_low:Q", title="interval from", format=".3f"),
            alt.Tooltip("ci_high:Q", title="to", format=".3f"),
            alt.Tooltip("n:Q", title="pairs"),
        ],
    )
    return Panel(
        title=sentence(SCOPE_NAMES[scope]),
        subtitle="",
        description=f"Share of variance explained, {SCOPE_NAMES[scope]}, per published table and experiment.",
        chart=layered(rules if rows["ci_low"].notna().any() else None, marks),
        height=max(60, 24 * len(order)),
    )


def _summary(theirs: pd.DataFrame, ours: pd.DataFrame) -> str:
    """Compares the paper's two settings with each of our experiments, over all pairs and within evaluation sets."""
    sentences = ["The same functions on both, ours at the largest budget."]
    for scope in ("pooled", "within_eval"):
        published, own = theirs[theirs["scope"] == scope], ours[ours["scope"] == scope]
        published = published[published["table"].isin(["pretraining_new", "finetuning_af"])]
        if len(published) and len(own):
            sentences.append(
                f"{sentence(SCOPE_NAMES[scope])}, r² is {_listed(published)} in the paper, and {_listed(own)} here."
            )
    return " ".join([*sentences, "Intervals need six independent families of training sets."])


def _listed(rows: pd.DataFrame) -> str:
    parts = [f"{number(row['r2'])} ({row['what']})" for _, row in rows.iterrows()]
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))

"""Alignment against loss: one figure per experiment and part, one panel per metric, one point per pair of sets."""

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
    MOST_TRAIN_SETS,
    PART_NAMES,
    SCOPE_NAMES,
    correlation_rows,
    experiments_and_parts,
    informative_scope,
    largest_budget,
    which_alignment,
)
from workflow_scripts.report.look import QUIET, category_entries, ordered_entries
from workflow_scripts.report.wording import count, interval, number, plain, plural, sentence, verdict

COLUMNS = [
    "metric",
    "train_set",
    "eval_set",
    "tokens",
    "alignment",
    "alignment_low",
    "alignment_high",
    "loss",
    "loss_sd",
    "n_seeds",
    "in_domain",
    "is_control",
]


def alignment_and_loss(tables: Tables) -> list[Figure]:
    """Every experiment and part with a readable number of training sets.

    A grid is shown at every budget, the others at the largest.
    """
    points, correlation = tables["points"], tables["correlation"]
    figures = []
    for experiment, part in experiments_and_parts(correlation):
        frame = points[(points["experiment"] == experiment) & (points["part"] == part)]
        shown = frame if (frame["kind"] == "intervention").all() else largest_budget(frame)
        if shown["train_set"].nunique() <= MOST_TRAIN_SETS:
            figures.append(_figure(experiment, part, shown, correlation))
    return figures


def _figure(experiment: str, part: str, points: pd.DataFrame, correlation: pd.DataFrame) -> Figure:
    scope = informative_scope(correlation, experiment, part)
    rows = correlation_rows(correlation, experiment, part, scope)
    by_strength = rows["value"].abs().sort_values(ascending=False).index
    metrics = [name for name in by_strength if name in set(points["metric"])]
    data = points[COLUMNS].copy()
    data["budget"] = [f"{tokens:,}" for tokens in data["tokens"]]
    legends = _legends(data)
    several_parts = PART_NAMES[part] if part != "whole" else ""
    return Figure(
        name=f"alignment_and_loss_{experiment}" + ("" if part == "whole" else f"_{part}"),
        title=f"Alignment against loss: {plain(experiment)}"
        + (f", {several_parts}" if several_parts else ""),
        summary=_summary(points, rows, metrics, scope) + which_alignment(points),
        data=data,
        panels=tuple(
            _panel(name, rows.loc[name], legends, scope, data["is_control"].any()) for name in metrics
        ),
        legends=legends,
    )


def _legends(data: pd.DataFrame) -> tuple[Legend, ...]:
    """Colours for evaluation sets, budgets or training sets, whichever has several values; the rest only by name."""
    train_sets = list(dict.fromkeys(data["train_set"]))
    eval_sets = list(dict.fromkeys(data["eval_set"]))
    budgets = list(data.sort_values("tokens")["budget"].unique())
    by_name = Legend("train_set", "Training set", tuple(LegendEntry(name) for name in train_sets))
    if len(eval_sets) > 1:
        return Legend("eval_set", "Evaluation set", category_entries(eval_sets)), by_name
    if len(budgets) > 1:
        return Legend("budget", "Training tokens", ordered_entries(budgets)), by_name
    return (Legend("train_set", "Training set", category_entries(train_sets)),)


def _panel(metric: str, row: pd.Series, legends: tuple[Legend, ...], scope: str, has_controls: bool) -> Panel:
    coloured = legends[0]
    fields = [legend.field for legend in legends]
    x = alt.X("alignment:Q", title="alignment", scale=alt.Scale(zero=False, nice=False, padding=10))
    y = alt.Y("loss:Q", title="loss, nats per token", scale=alt.Scale(zero=False, nice=False, padding=10))
    colour = alt.Color(f"{coloured.field}:N", title=coloured.title, scale=coloured.scale("colour"), sort=None)
    base = chart().transform_filter(f"datum.metric === '{metric}'")
    marks = base.mark_point().encode(
        x=x,
        y=y,
        color=colour,
        shape=alt.Shape(
            f"{coloured.field}:N", title=coloured.title, scale=coloured.scale("shape"), sort=None
        ),
        opacity=unless_isolated(*fields),
        tooltip=[
            alt.Tooltip("train_set:N", title="trained on"),
            alt.Tooltip("eval_set:N", title="evaluated on"),
            alt.Tooltip("budget:N", title="tokens"),
            alt.Tooltip("alignment:Q", format=".3f"),
            alt.Tooltip("loss:Q", format=".3f"),
            alt.Tooltip("n_seeds:Q", title="seeds"),
        ],
    )
    trends = (
        base.transform_filter("!datum.is_control")
        .transform_regression("alignment", "loss", groupby=[coloured.field])
        .mark_line(strokeWidth=1)
        .encode(x=x, y=y, color=colour, opacity=unless_isolated(coloured.field, shown=0.45))
    )
    rings = base.transform_filter("datum.is_control").mark_point(
        filled=False, size=150, strokeWidth=1, color=QUIET
    )
    rings = rings.encode(x=x, y=y, opacity=unless_isolated(*fields))
    layers = [trends, marks] if coloured.field != "train_set" else [marks]
    r = f"r = {number(row['value'])}"
    ends = f" ({interval(row['ci_low'], row['ci_high'])})" if pd.notna(row["ci_low"]) else ", no interval"
    where = SCOPE_NAMES[scope] if scope != "pooled" else "over all pairs"
    return Panel(
        title=plain(metric),
        subtitle=f"{r}{ends}",
        description=f"Scatter plot of loss against alignment by {plain(metric)}; {r}{ends} {where}.",
        chart=layered(*layers, rings if has_controls else None),
    )


def _summary(points: pd.DataFrame, rows: pd.DataFrame, metrics: list[str], scope: str) -> str:
    pairs = points[["train_set", "eval_set"]].drop_duplicates()
    seeds = points["n_seeds"].max()
    sizes = (
        f"{plural(len(pairs), 'pair')} of {plural(pairs['train_set'].nunique(), 'training set')} and "
        f"{plural(pairs['eval_set'].nunique(), 'evaluation set')}, {plural(seeds, 'seed')} each."
    )
    controls = points.loc[points["is_control"], "train_set"].nunique()
    if controls:
        sizes += f" Ringed marks are {plural(controls, 'control')}, excluded from r."
    if not metrics:
        return f"{sizes} No metric could be compared."
    strongest = rows.loc[metrics[0]]
    where = SCOPE_NAMES[scope] if scope != "pooled" else "over all pairs"
    budget = count(strongest["tokens"])
    if pd.isna(strongest["value"]):
        return f"{sizes} {sentence(verdict(strongest))}."
    return (
        f"{sizes} Of the measures, {plain(metrics[0])} correlates with loss most closely {where} at {budget} tokens; "
        f"{verdict(strongest)}."
    )

"""What choosing training data by a measure costs in seconds, and how good the choice is."""

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, Panel, Tables, chart, layered, unless_isolated
from workflow_scripts.report.headline import (
    PART_NAMES,
    PROBE_RANGE,
    best_chooser,
    choice_means,
    has_probe_range,
    with_probe_range,
)
from workflow_scripts.report.look import QUIET, category_entries
from workflow_scripts.report.wording import cost, number, plain, plural, sentence
from workflow_scripts.statistics.choice import BLIND

COLUMNS = [
    "panel",
    "metric",
    "cost_seconds",
    "training_seconds",
    *(
        f"{name}{end}"
        for name in ("regret_fraction", "regret", "top1", "kendall_tau")
        for end in ("", "_low", "_high")
    ),
    "n_train",
    "n_eval",
    "n_seeds",
    "note",
]


def cost_and_skill(tables: Tables) -> list[Figure]:
    """One figure, a panel per experiment and part at the largest budget."""
    means = choice_means(tables["choice"])
    means = means[(means["metric"] == BLIND) | means["cost_seconds"].gt(0)]
    means = with_probe_range(means.assign(scope="all", statistic="regret_fraction"), tables)
    if means["metric"].eq(BLIND).all():
        return []
    means["panel"] = [
        plain(experiment) + ("" if part == "whole" else f", {PART_NAMES[part]}")
        for experiment, part in zip(means["experiment"], means["part"], strict=True)
    ]
    metrics = [name for name in dict.fromkeys(means["metric"]) if name != BLIND]
    legend = Legend("metric", "Measure", category_entries(metrics))
    names = list(dict.fromkeys(means["panel"]))
    return [
        Figure(
            name="cost_and_skill",
            title="Choosing data: cost against skill",
            summary=" ".join(_summary(name, means[means["panel"] == name]) for name in names),
            data=means[[*COLUMNS, *(name for name in PROBE_RANGE if name in means)]].reset_index(drop=True),
            panels=tuple(_panel(name, means[means["panel"] == name], legend) for name in names),
            legends=(legend,),
        )
    ]


def _panel(name: str, rows: pd.DataFrame, legend: Legend) -> Panel:
    base = chart().transform_filter(f"datum.panel === '{name}'")
    measured = base.transform_filter(f"datum.metric !== '{BLIND}' && datum.cost_seconds > 0")
    x = alt.X(
        "cost_seconds:Q",
        title="seconds",
        scale=alt.Scale(type="log", nice=False, padding=14),
        axis=alt.Axis(format="~g", grid=False, ticks=False, tickCount=4),
    )
    y = alt.Y("regret_fraction:Q", title="regret, share of the range", scale=alt.Scale(domain=[0, 1]))
    colour = alt.Color("metric:N", title=legend.title, scale=legend.scale("colour"), sort=None)
    blind = (
        base.transform_filter(f"datum.metric === '{BLIND}'")
        .mark_rule(color=QUIET, strokeDash=[3, 3])
        .encode(y=y, tooltip=["metric:N", alt.Tooltip("regret_fraction:Q", format=".2f")])
    )
    # Every row of a panel has the same training cost; one rule is drawn, not one per metric.
    training = (
        base.transform_filter(f"datum.metric === '{BLIND}' && datum.training_seconds > 0")
        .mark_rule(color=QUIET, strokeWidth=1.5)
        .encode(
            x=alt.X("training_seconds:Q"),
            tooltip=[alt.Tooltip("training_seconds:Q", title="training all, seconds", format=".3g")],
        )
    )
    intervals = (
        measured.transform_filter("isValid(datum.regret_fraction_low)")
        .mark_rule(strokeWidth=1.5)
        .encode(
            x=x,
            y=alt.Y("regret_fraction_low:Q"),
            y2="regret_fraction_high:Q",
            color=colour,
            opacity=unless_isolated("metric", shown=0.45),
        )
    )
    probes = (
        measured.transform_filter("isValid(datum.probes_low)")
        .mark_bar(width=9)
        .encode(
            x=x,
            y=alt.Y("probes_low:Q"),
            y2="probes_high:Q",
            color=colour,
            opacity=unless_isolated("metric", shown=0.3),
        )
    )
    marks = measured.mark_point(size=75).encode(
        x=x,
        y=y,
        color=colour,
        shape=alt.Shape("metric:N", title=legend.title, scale=legend.scale("shape"), sort=None),
        opacity=unless_isolated("metric"),
        tooltip=[
            "metric:N",
            alt.Tooltip("cost_seconds:Q", title="seconds", format=".3g"),
            alt.Tooltip("regret_fraction:Q", title="regret, share of range", format=".2f"),
            alt.Tooltip("regret:Q", title="regret, nats", format=".3f"),
            alt.Tooltip("top1:Q", title="best set chosen", format=".0%"),
            alt.Tooltip("kendall_tau:Q", title="Kendall's tau", format=".2f"),
        ],
    )
    n_eval = int(rows["n_eval"].iloc[0])
    bands = "; bands: over probes" if has_probe_range(rows) else ""
    upright = "; upright line: training all" if rows["training_seconds"].gt(0).any() else ""
    return Panel(
        title=sentence(name),
        subtitle=f"{plural(n_eval, 'evaluation set')}{upright}; dashed: a blind draw{bands}",
        description=f"Regret of each measure's choice against its cost in seconds, {name}.",
        chart=layered(
            blind,
            training if rows["training_seconds"].gt(0).any() else None,
            probes if has_probe_range(rows) else None,
            intervals if rows.loc[rows["metric"] != BLIND, "regret_fraction_low"].notna().any() else None,
            marks,
        ),
        height=250,
    )


def _summary(name: str, rows: pd.DataFrame) -> str:
    measured = rows[rows["metric"] != BLIND]
    if measured.empty:
        return f"{sentence(name)}: no measure could choose."
    (best, equals), blind = best_chooser(measured), rows[rows["metric"] == BLIND]
    shared = f" (as have {equals - 1} more, at more cost)" if equals > 1 else ""
    drawn = f", against {blind['regret_fraction'].iloc[0]:.0%} for a blind draw" if len(blind) else ""
    return (
        f"{sentence(name)}: {plain(best['metric'])} has the least regret{shared}, {number(best['regret'], 3)} nats or "
        f"{best['regret_fraction']:.0%} of the range{drawn}{cost(best)}."
    )

"""Cost in seconds of choosing training data, and quality of the choice: measures, short runs, training all."""

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, Panel, Tables, chart, layered, unless_isolated
from workflow_scripts.report.headline import (
    PART_NAMES,
    PROBE_RANGE,
    best_chooser,
    choice_means,
    has_probe_range,
    measures,
    with_probe_range,
)
from workflow_scripts.report.look import QUIET, category_entries
from workflow_scripts.report.wording import cost, number, plain, plural, sentence, short_run
from workflow_scripts.statistics.choice import BLIND
from workflow_scripts.statistics.equal_cost import TRAINING, frontier

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
    "run_tokens",
    "on_frontier",
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
    means = pd.concat([_with_training(rows) for _, rows in means.groupby("panel", sort=False)])
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


def _with_training(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a panel plus training every candidate, which chooses by the losses; marks rows on the frontier."""
    training = rows["training_seconds"].max()
    if training > 0:
        scores = {"regret": 0.0, "regret_fraction": 0.0, "top1": 1.0, "kendall_tau": 1.0}
        last = {**rows.iloc[-1][["panel", "training_seconds", "n_train", "n_eval", "n_seeds"]], **scores}
        last |= {"metric": TRAINING, "cost_seconds": training, "note": "chooses by the losses themselves"}
        rows = pd.concat([rows, pd.DataFrame([last])], ignore_index=True)
    return rows.assign(on_frontier=(rows["metric"] != BLIND) & frontier(rows, regret="regret_fraction"))


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
    least = measured.transform_filter("datum.on_frontier").mark_line(
        color=QUIET, strokeWidth=1.5, interpolate="step-after"
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
            alt.Tooltip("kendall_tau_low:Q", title="tau from", format=".2f"),
            alt.Tooltip("kendall_tau_high:Q", title="tau to", format=".2f"),
        ],
    )
    n_eval = int(rows["n_eval"].iloc[0])
    bands = "; bands: over probes" if has_probe_range(rows) else ""
    return Panel(
        title=sentence(name),
        subtitle=f"{plural(n_eval, 'evaluation set')}; line: least regret; dashed: a blind draw{bands}",
        description=f"Regret of each measure's choice against its cost in seconds, {name}.",
        chart=layered(
            blind,
            least.encode(x=x, y=y) if rows["on_frontier"].sum() > 1 else None,
            probes if has_probe_range(rows) else None,
            intervals if rows.loc[rows["metric"] != BLIND, "regret_fraction_low"].notna().any() else None,
            marks,
        ),
        height=250,
    )


def _summary(name: str, rows: pd.DataFrame) -> str:
    measured = measures(rows[rows["metric"] != TRAINING])
    if measured.empty:
        return f"{sentence(name)}: no measure could choose."
    (best, equals), blind = best_chooser(measured), rows[rows["metric"] == BLIND]
    shared = f" (as do {equals - 1} more, at more cost)" if equals > 1 else ""
    drawn = f", a blind draw {number(blind['regret'].iloc[0], 3)}" if len(blind) else ""
    return (
        f"{sentence(name)}: {plain(best['metric'])} has the least regret{shared}, {number(best['regret'], 3)} nats"
        f"{drawn}{cost(best)}{short_run(rows)}."
    )

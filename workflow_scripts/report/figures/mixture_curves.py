"""How loss and alignment with the target change with the share of the target in a mixture."""

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, Panel, Tables, chart, layered, unless_isolated
from workflow_scripts.report.look import category_entries, ordered_entries
from workflow_scripts.report.wording import plain
from workflow_scripts.statistics.experiments import alignments_for, as_pairs

KEY = ["experiment", "part", "eval_set"]
COLUMNS = ["quantity", "budget", "metric", "train_set", "fraction", "value", "low", "high"]


def mixture_curves(tables: Tables) -> list[Figure]:
    """One figure per grid: experiment, part and evaluation set."""
    grid = tables["loss_summary"]
    grid = grid[grid["fraction"].notna()]
    several = grid[KEY].drop_duplicates().shape[0] > 1
    figures = []
    for (experiment, part, eval_set), frame in grid.groupby(KEY, sort=False):
        name = f"{experiment}_{part}_{eval_set}" if several else str(experiment)
        alignment = alignments_for(
            str(part), as_pairs(tables["alignment"]), frame["train_set"], [str(eval_set)]
        )
        figures.append(_figure(name, str(eval_set), frame, alignment))
    return figures


def _figure(name: str, eval_set: str, losses: pd.DataFrame, alignment: pd.DataFrame) -> Figure:
    loss, metric = _loss_rows(losses), _alignment_rows(losses, alignment)
    data = pd.concat([loss, metric], ignore_index=True)[COLUMNS]
    budgets = Legend("budget", "Training tokens", ordered_entries(list(loss["budget"].unique())))
    metrics = Legend("metric", "Measure", category_entries(sorted(metric["metric"].unique())))
    left_out = sorted(set(alignment["metric"]) - set(metric["metric"]))
    notes = f" Not shown, because they have no scale: {', '.join(map(plain, left_out))}." if left_out else ""
    panels = [
        _panel(
            "loss",
            loss,
            budgets,
            f"Loss on {plain(eval_set)}",
            "nats per token; bars: lowest and highest seed",
        ),
    ]
    if len(metric):
        panels.append(
            _panel(
                "alignment",
                metric,
                metrics,
                f"Alignment to {plain(eval_set)}",
                "0 is random tokens, 1 the target itself",
            )
        )
    return Figure(
        name=f"mixture_curves_{name}",
        title=f"Mixtures: the effect of the share of {plain(eval_set)}",
        summary=_summary(metric) + notes,
        data=data,
        panels=tuple(panels),
        legends=(budgets, metrics) if len(metric) else (budgets,),
        columns=2,
    )


def _loss_rows(losses: pd.DataFrame) -> pd.DataFrame:
    rows = (
        losses.groupby(["tokens", "train_set", "fraction"], sort=True)["loss"]
        .agg(value="mean", low="min", high="max")
        .reset_index()
    )
    return rows.assign(quantity="loss", metric="", budget=[f"{tokens:,}" for tokens in rows["tokens"]])


def _alignment_rows(losses: pd.DataFrame, alignment: pd.DataFrame) -> pd.DataFrame:
    fractions = losses.drop_duplicates("train_set").set_index("train_set")["fraction"]
    rows = alignment[alignment["calibrated"].notna()]
    rows = rows.assign(value=rows["calibrated"], low=rows["calibrated_low"], high=rows["calibrated_high"])
    return rows.assign(
        quantity="alignment", budget="", fraction=rows["train_set"].map(fractions)
    ).sort_values(["metric", "fraction"])


def _panel(quantity: str, rows: pd.DataFrame, legend: Legend, title: str, subtitle: str) -> Panel:
    base = (
        chart()
        .transform_filter(f"datum.quantity === '{quantity}'")
        .encode(
            x=alt.X("fraction:Q", title="share of the target", axis=alt.Axis(format="%", grid=False)),
            color=alt.Color(f"{legend.field}:N", title=legend.title, scale=legend.scale("colour"), sort=None),
        )
    )
    y = alt.Y("value:Q", title=quantity, scale=alt.Scale(zero=False))
    ranges = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=1)
        .encode(y="low:Q", y2="high:Q", opacity=unless_isolated(legend.field, shown=0.4))
    )
    lines = base.mark_line().encode(y=y, opacity=unless_isolated(legend.field))
    marks = base.mark_point().encode(
        y=y,
        shape=alt.Shape(f"{legend.field}:N", title=legend.title, scale=legend.scale("shape"), sort=None),
        opacity=unless_isolated(legend.field),
        tooltip=[
            alt.Tooltip("train_set:N", title="trained on" if quantity == "loss" else "set"),
            alt.Tooltip("fraction:Q", title="share of the target", format=".0%"),
            alt.Tooltip(f"{legend.field}:N", title=legend.title.lower()),
            alt.Tooltip("value:Q", title=quantity, format=".3f"),
        ],
    )
    return Panel(
        title=title,
        subtitle=subtitle,
        description=f"Lines of {quantity} against the share of the target, one per {legend.title.lower()}.",
        chart=layered(ranges if rows["low"].notna().any() else None, lines, marks),
        height=280,
    )


def _summary(metric: pd.DataFrame) -> str:
    if metric.empty:
        return "No measure of alignment could be put on a common scale here."
    rising = [
        name
        for name, rows in metric.groupby("metric")
        if rows.sort_values("fraction")["value"].is_monotonic_increasing
    ]
    total = metric["metric"].nunique()
    verb = "rises" if len(rising) == 1 else "rise"
    return f"{len(rising)} of {total} measures {verb} at every step from the least to the largest share of the target."

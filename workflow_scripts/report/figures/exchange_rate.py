"""k: how many times more tokens another training set needs than the target's own, for the same loss."""

import math
from dataclasses import replace

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import (
    Figure,
    Legend,
    Panel,
    Tables,
    chart,
    layered,
    unless_isolated,
)
from workflow_scripts.report.look import QUIET, category_entries, ordered_entries
from workflow_scripts.report.wording import count, exchange, number, plain, plural

COLUMNS = [
    "eval_set",
    "reference",
    "train_set",
    "fraction",
    "share",
    "level",
    "level_tokens",
    "level_loss",
    "k",
    "k_low",
    "k_high",
    "reached",
    "low_reached",
    "high_reached",
    "trend",
    "label",
    "n_runs",
    "note",
]
BOUNDS = "triangles are bounds (up: more than was tried); lines: 95% intervals"
SCALE = alt.Scale(type="log", base=2, nice=False, padding=16)
SHAPE = alt.Shape(
    "reached:N",
    scale=alt.Scale(domain=["within", "never", "before"], range=["circle", "triangle-up", "triangle-down"]),
    legend=None,
)
TOOLTIP = [
    alt.Tooltip("train_set:N", title="trained on"),
    alt.Tooltip("eval_set:N", title="evaluated on"),
    alt.Tooltip("level:N", title="level: the own set's loss at"),
    alt.Tooltip("label:N", title="k"),
    alt.Tooltip("k_low:Q", title="interval from", format=".3g"),
    alt.Tooltip("low_reached:N", title="which is"),
    alt.Tooltip("k_high:Q", title="to", format=".3g"),
    alt.Tooltip("high_reached:N", title="which is"),
    alt.Tooltip("n_runs:Q", title="runs"),
]


def exchange_rate(tables: Tables) -> list[Figure]:
    """One figure per grid and part by share of the target, and one per other experiment by level."""
    rates = tables["exchange_rate"]
    rates = rates[rates["k"].notna()]
    rates = rates.assign(
        level=[count(tokens) for tokens in rates["level_tokens"]],
        share=["" if math.isnan(fraction) else f"{fraction:.0%}" for fraction in rates["fraction"]],
    )
    several = rates[["experiment", "part"]].drop_duplicates().shape[0] > 1
    figures = []
    for (experiment, part), frame in rates.groupby(["experiment", "part"], sort=False):
        name = f"{experiment}_{part}" if several else str(experiment)
        draw = _grid if frame["fraction"].notna().all() else _by_level
        figures.append(draw(name, str(experiment), frame))
    return figures


def _grid(name: str, experiment: str, rates: pd.DataFrame) -> Figure:
    rates = rates.sort_values(["level_tokens", "fraction"])
    target = plain(rates["eval_set"].iloc[0])
    diluted = rates[rates["fraction"] < 1].sort_values(["level_tokens", "fraction"], ascending=[True, False])
    first = diluted[diluted["level_tokens"] == diluted["level_tokens"].min()]
    start = (
        f"{count(rates['level_tokens'].iloc[0])} tokens of the pure target give a loss of "
        f"{number(rates['level_loss'].iloc[0])}."
    )
    needs = "; ".join(
        f"{row['fraction']:.0%} of the target needs {exchange(row)}" for _, row in first.iterrows()
    )
    levels = Legend("level", "Loss of the pure target at", ordered_entries(list(rates["level"].unique())))
    shares = list(dict.fromkeys(rates.sort_values("fraction")["share"]))
    x = alt.X("share:O", title="share of the target", sort=shares, axis=alt.Axis(grid=False, labelAngle=0))
    return Figure(
        name=f"exchange_rate_{name}",
        title=f"What a token of {target} is worth",
        summary=f"{start} For the same loss, a set with {needs}. {_trends(diluted)}" if needs else start,
        data=rates[COLUMNS].reset_index(drop=True),
        panels=(
            Panel(
                title=f"Tokens needed, relative to pure {target}",
                subtitle=BOUNDS,
                description="Points of k, how many times more tokens are needed, against the share of the target.",
                chart=_chart(rates, x, levels, ""),
                height=300,
                wide=True,
            ),
        ),
        legends=(levels,),
        columns=1,
    )


def _by_level(name: str, experiment: str, rates: pd.DataFrame) -> Figure:
    """Every training set compared with each target's own."""
    others = rates[rates["train_set"] != rates["reference"]].sort_values(
        ["eval_set", "train_set", "level_tokens"]
    )
    # Shapes mark bounds, so training sets have only colours.
    entries = category_entries(sorted(others["train_set"].unique()))
    sources = Legend("train_set", "Training set", tuple(replace(one, shape="circle") for one in entries))
    levels = list(dict.fromkeys(others.sort_values("level_tokens")["level"]))
    x = alt.X(
        "level:O",
        title="level: the loss of the own set at this many tokens",
        sort=levels,
        axis=alt.Axis(grid=False, labelAngle=0),
    )
    panels = []
    for target, rows in others.groupby("eval_set", sort=False):
        own = plain(rows["reference"].iloc[0])
        panels.append(
            Panel(
                title=plain(str(target)),
                subtitle=f"tokens needed, relative to {own}; {BOUNDS}",
                description=f"Points of k on {plain(str(target))} against the level, a line for each training set.",
                chart=_chart(rows, x, sources, f"datum.eval_set === '{target}'"),
                height=300,
                wide=True,
            )
        )
    return Figure(
        name=f"exchange_rate_{name}",
        title=f"What other data is worth: {plain(experiment)}",
        summary=(
            f"{plural(others['eval_set'].nunique(), 'evaluation set')} with their own training set, compared with "
            f"{plural(others['train_set'].nunique(), 'other training set')}. {_trends(others)}"
        ),
        data=others[COLUMNS].reset_index(drop=True),
        panels=tuple(panels),
        legends=(sources,),
        one_at_a_time="Evaluated on",
        columns=2,
    )


def _trends(rates: pd.DataFrame) -> str:
    """Whether the worth of a token changes with the level."""
    pairs = rates.drop_duplicates(["eval_set", "train_set"])
    known = pairs["trend"].dropna()
    levels = rates["level_tokens"].nunique()
    if levels < 2:
        return "There is only one level of k."
    last = rates[rates["level_tokens"] == rates["level_tokens"].max()]
    bounds = int((last["reached"] == "never").sum())
    text = f"At the last of {levels} levels {bounds} of {plural(len(last), 'pair')} need more than was tried"
    if known.empty:
        return f"{text}; no pair has a value at two levels."
    factor = (
        f"by the factor {number(known.median())} (median)"
        if len(known) > 1
        else f"by the factor {number(known.iloc[0])}"
    )
    return (
        f"{text}. With each doubling of the level k changes {factor} in the {len(known)} of "
        f"{plural(len(pairs), 'pair')} that have a value at two levels or more; it rises in {int((known > 1).sum())}."
    )


def _chart(rates: pd.DataFrame, x: alt.X, legend: Legend, chosen: str) -> alt.LayerChart:
    base = chart().transform_filter(chosen) if chosen else chart()
    y = alt.Y("k:Q", title="k, times the tokens", scale=SCALE, axis=alt.Axis(format="~g"))
    colour = alt.Color(f"{legend.field}:N", title=legend.title, scale=legend.scale("colour"), sort=None)
    faded = unless_isolated(legend.field)
    # Marks of one share or level are side by side.
    side = alt.XOffset(f"{legend.field}:N", sort=[entry.value for entry in legend.entries])
    place = {"x": x, "xOffset": side, "color": colour, "opacity": faded}
    intervals = (
        base.transform_filter("isValid(datum.k_low)")
        .mark_rule(strokeWidth=2)
        .encode(y=alt.Y("k_low:Q", scale=SCALE), y2="k_high:Q", **place)
    )
    marks = base.mark_point(size=80).encode(y=y, shape=SHAPE, tooltip=TOOLTIP, **place)
    labels = (
        base.mark_text(dx=7, align="left", fontSize=11).encode(
            y=y, text="label:N", **{**place, "color": alt.value(QUIET)}
        )
        if legend.field == "level"
        else None
    )
    return layered(intervals if rates["k_low"].notna().any() else None, marks, labels)

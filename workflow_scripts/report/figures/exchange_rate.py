"""k(x): how many times the tokens of the pure target a diluted training set needs for the same loss."""

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Panel, Tables, chart, layered
from workflow_scripts.report.look import ACCENT, QUIET
from workflow_scripts.report.wording import count, exchange, number, plain

COLUMNS = [
    "train_set",
    "fraction",
    "k",
    "k_low",
    "k_high",
    "reached",
    "high_reached",
    "label",
    "target_loss",
    "target_tokens",
    "n_runs",
    "note",
]


def exchange_rate(tables: Tables) -> list[Figure]:
    """One figure per grid and part, with the sets whose k is known."""
    rates = tables["exchange_rate"]
    rates = rates[rates["k"].notna()]
    several = rates[["experiment", "part"]].drop_duplicates().shape[0] > 1
    return [
        _figure(f"{experiment}_{part}" if several else str(experiment), frame.sort_values("fraction"))
        for (experiment, part), frame in rates.groupby(["experiment", "part"], sort=False)
    ]


def _figure(name: str, rates: pd.DataFrame) -> Figure:
    target = plain(rates["eval_set"].iloc[0])
    diluted = rates[rates["fraction"] < 1].sort_values("fraction", ascending=False)
    start = (
        f"{count(rates['target_tokens'].iloc[0])} tokens of the pure target give a loss of "
        f"{number(rates['target_loss'].iloc[0])}."
    )
    needs = "; ".join(
        f"{row['fraction']:.0%} of the target needs {exchange(row)}" for _, row in diluted.iterrows()
    )
    return Figure(
        name=f"exchange_rate_{name}",
        title=f"What a token of {target} is worth",
        summary=f"{start} For the same loss, a set with {needs}." if needs else start,
        data=rates[COLUMNS].reset_index(drop=True),
        panels=(_panel(target, rates),),
        columns=1,
    )


def _panel(target: str, rates: pd.DataFrame) -> Panel:
    x = alt.X(
        "fraction:Q",
        title="share of the target",
        scale=alt.Scale(domain=[0, 1], padding=12),
        axis=alt.Axis(format="%", grid=False),
    )
    scale = alt.Scale(type="log", base=2, nice=False, padding=16)
    y = alt.Y("k:Q", title="k, times the tokens", scale=scale, axis=alt.Axis(format="~g"))
    tooltip = [
        alt.Tooltip("train_set:N", title="trained on"),
        alt.Tooltip("fraction:Q", title="share of the target", format=".0%"),
        alt.Tooltip("label:N", title="k"),
        alt.Tooltip("k_low:Q", title="interval from", format=".3g"),
        alt.Tooltip("k_high:Q", title="to", format=".3g"),
        alt.Tooltip("n_runs:Q", title="runs"),
    ]
    line = chart().mark_line(color=QUIET, strokeWidth=1, strokeDash=[3, 3]).encode(x=x, y=y)
    intervals = (
        chart()
        .transform_filter("isValid(datum.k_low)")
        .mark_rule(color=ACCENT, strokeWidth=2)
        .encode(x=x, y=alt.Y("k_low:Q"), y2="k_high:Q")
    )
    shape = alt.Shape(
        "reached:N",
        scale=alt.Scale(
            domain=["within", "never", "before"], range=["circle", "triangle-up", "triangle-down"]
        ),
        legend=None,
    )
    marks = chart().mark_point(color=ACCENT, size=90).encode(x=x, y=y, shape=shape, tooltip=tooltip)
    labels = chart().mark_text(color=QUIET, dx=10, align="left", fontSize=11).encode(x=x, y=y, text="label:N")
    return Panel(
        title=f"Tokens needed, over those of pure {target}",
        subtitle="triangles are bounds: up, more than the largest amount tried; lines are 95% intervals",
        description="Points of k, the times more tokens that are needed, against the share of the target.",
        chart=layered(line, intervals if rates["k_low"].notna().any() else None, marks, labels),
        height=300,
    )

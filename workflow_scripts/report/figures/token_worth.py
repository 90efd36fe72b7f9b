"""The price list: what a token of each corpus is worth for each target, from the text only and by the law."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from workflow_scripts.report.figure import Figure, Panel, Tables, chart
from workflow_scripts.report.figures.alignment_matrix import clustered
from workflow_scripts.report.look import ACCENT, INK
from workflow_scripts.report.token_tables import LAW, Measure, best_measure
from workflow_scripts.report.wording import plain

COLUMNS = ["source", "corpus", "eval_set", "worth", "low", "high", "label"]
# Smaller worths have no number in their cell, only in the tooltip and the table.
LEAST = 0.0001
PANEL_TITLES = {"text": "From the text only", LAW: "By the law, after all proxies"}


def token_worth(tables: Tables) -> list[Figure]:
    """One figure per experiment on which tau was chosen: the best measure, from the text and by the law."""
    measure = best_measure(tables)
    worth = tables["token_worth"]
    worth = worth[(worth["metric"] == measure.metric) & (worth["kernel"] == measure.kernel)]
    several = worth["experiment"].nunique() > 1
    return [
        _figure(f"token_worth_{experiment}" if several else "token_worth", str(experiment), rows, measure)
        for experiment, rows in worth.groupby("experiment", sort=False)
    ]


def price(worth: float) -> str:
    """A worth, short enough for a cell of the matrix: 1, .31, .002, .0004; a dot for anything smaller."""
    if worth < LEAST:
        return "\N{MIDDLE DOT}"
    if worth >= 0.995:
        return f"{worth:.2g}" if worth < 99.5 else f"{worth:.0f}"
    digits = 2 if worth >= 0.0995 else 3 if worth >= 0.00095 else 4
    return f"{worth:.{digits}f}".removeprefix("0")


def _figure(name: str, experiment: str, worth: pd.DataFrame, measure: Measure) -> Figure:
    rows, columns = _orders(worth)
    data = worth.assign(label=[price(value) for value in worth["worth"]])
    places = {corpus: place for place, corpus in enumerate(rows)}
    data = data.sort_values(["source", "corpus"], key=lambda c: c.map(places).fillna(-1), kind="stable")
    sources = [source for source in PANEL_TITLES if source in set(worth["source"])]
    return Figure(
        name=name,
        title=f"The price list: what a token is worth, {plain(experiment)}",
        summary=_summary(worth, measure),
        data=data[COLUMNS].reset_index(drop=True),
        panels=tuple(_panel(source, rows, columns) for source in sources),
        columns=1,
    )


def _orders(worth: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Corpora in the order of a clustering of their worths by the text, and targets in the same order."""
    text = worth[worth["source"] == "text"]
    logs = pd.DataFrame(
        {
            "source": text["corpus"],
            "target": text["eval_set"],
            "alignment": np.log(text["worth"].clip(LEAST, None)),
        }
    )
    corpora = clustered(logs)
    targets = list(text["eval_set"].unique())
    return corpora, [name for name in corpora if name in targets] + [
        name for name in targets if name not in corpora
    ]


def _panel(source: str, rows: list[str], columns: list[str]) -> Panel:
    words = "replace(datum.label, /_/g, ' ')"
    axis: dict[str, Any] = {
        "labelFontSize": 10,
        "labelOverlap": False,
        "ticks": False,
        "domain": False,
        "grid": False,
    }
    base = (
        chart()
        .transform_filter(f"datum.source === '{source}'")
        .encode(
            x=alt.X(
                "eval_set:N",
                sort=columns,
                title="for the target",
                axis=alt.Axis(labelAngle=-50, labelExpr=words, **axis),
            ),
            y=alt.Y("corpus:N", sort=rows, title="a token of", axis=alt.Axis(labelExpr=words, **axis)),
        )
    )
    tooltip = [
        alt.Tooltip("corpus:N", title="a token of"),
        alt.Tooltip("eval_set:N", title="for the target"),
        alt.Tooltip("worth:Q", title="is worth", format=".3g"),
        alt.Tooltip("low:Q", title="interval from", format=".2g"),
        alt.Tooltip("high:Q", title="to", format=".2g"),
    ]
    cells = base.mark_rect(color=ACCENT, stroke=None).encode(
        opacity=alt.Opacity(
            "worth:Q",
            scale=alt.Scale(type="log", domain=[LEAST, 1], range=[0.02, 0.5], clamp=True),
            legend=None,
        ),
        tooltip=tooltip,
    )
    numbers = base.mark_text(color=INK, fontSize=10.5).encode(text="label:N", tooltip=tooltip)
    return Panel(
        title=PANEL_TITLES[source],
        subtitle="in tokens of the target's own part; stronger colours are higher (log); a dot: below .0001",
        description=(
            f"Heat map of the worth of a token of {len(rows)} corpora for {len(columns)} targets, "
            f"{PANEL_TITLES[source].lower()}."
        ),
        chart=alt.layer(cells, numbers),
        height=max(160, 22 * len(rows) + 60),
        wide=True,
    )


def _summary(worth: pd.DataFrame, measure: Measure) -> str:
    others = worth[worth["corpus"] != worth["eval_set"]]
    text, law = others[others["source"] == "text"], others[others["source"] == LAW]
    best = text.loc[text["worth"].idxmax()]
    summary = (
        f"A token of the target's own part is worth 1. By {measure.name}, the best measure here, half of the other "
        f"pairs are worth less than {price(text['worth'].median())}; the most is {price(best['worth'])}, a token of "
        f"{plain(best['corpus'])} for {plain(best['eval_set'])}."
    )
    if law.empty:
        return summary
    both = text.merge(law, on=["corpus", "eval_set"], suffixes=("", "_law"))
    outside = int(((both["worth"] < both["low_law"]) | (both["worth"] > both["high_law"])).sum())
    return (
        f"{summary} Fitted to the losses of all proxies, the law puts the median at {price(law['worth'].median())}; "
        f"for {outside} of {len(both)} pairs the text's value is outside the law's 95% interval."
    )

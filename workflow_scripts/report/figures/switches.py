"""The effect of correcting each switch, separately from either end, and of correcting all."""

import json
import math
from typing import Any

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
from workflow_scripts.report.look import CATEGORIES, INK, QUIET
from workflow_scripts.report.wording import interval, number, plural
from workflow_scripts.statistics.switches import ALL

NAMES = {
    "label_shift": "labels shifted twice",
    "score_padding": "padding scored",
    "square": "square of a minibatch's mean",
    "tied_head": "tied head",
    "dropout": "dropout active",
    "hide_ends": "ends of text read",
    "epsilon": "absolute epsilon",
    "same_batches": "same rows in every batch",
    "layout": "one padded document per row",
    "label_draws": "one label per position",
    ALL: "all together",
}
FROM_PUBLISHED, FROM_CORRECTED, TOGETHER = "published otherwise", "corrected otherwise", NAMES[ALL]
STARTS = Legend(
    "start",
    "All else",
    (
        LegendEntry(FROM_PUBLISHED, CATEGORIES[0], "circle"),
        LegendEntry(FROM_CORRECTED, CATEGORIES[1], "square"),
        LegendEntry(TOGETHER, INK, "diamond"),
    ),
)
# Vertical position of a mark in the band of its defect.
PLACES = {FROM_PUBLISHED: -1, FROM_CORRECTED: 1, TOGETHER: 0}
PANELS = (
    ("alignment", "Mean alignment", "right of zero: the correction raises it"),
    ("r_within_eval", "r with loss within evaluation sets", "left of zero: the correction improves it"),
    ("r_pooled", "r with loss, pooled", "left of zero: the correction improves it"),
)
COLUMNS = [
    "defect",
    "start",
    "change_of_alignment",
    "change_of_alignment_low",
    "change_of_alignment_high",
    "kendall_tau",
    "kendall_tau_low",
    "kendall_tau_high",
    "tau_of_halves",
    "top_choice_changed",
    "r_within_eval",
    "change_of_r_within_eval",
    "change_of_r_within_eval_low",
    "change_of_r_within_eval_high",
    "r_pooled",
    "change_of_r_pooled",
    "change_of_r_pooled_low",
    "change_of_r_pooled_high",
    "alignment_mean",
    "alignment_low",
    "alignment_high",
    "note",
]


def switches(tables: Tables) -> list[Figure]:
    """One figure for the run."""
    table = tables["switches"]
    flips = table[table["switch"].notna()]
    together = flips["switch"] == ALL
    start = (
        flips["end"].map({"published": FROM_PUBLISHED, "corrected": FROM_CORRECTED}).mask(together, TOGETHER)
    )
    data = flips.assign(defect=flips["switch"].map(NAMES), start=start)
    ends = table[table["switch"].isna()].set_index("end")
    return [
        Figure(
            name="switches",
            title="What does each correction change?",
            summary=_summary(data, ends),
            data=data[COLUMNS].reset_index(drop=True),
            panels=tuple(
                _panel(*panel, data) for panel in PANELS if data[f"change_of_{panel[0]}"].notna().any()
            ),
            legends=(STARTS,),
        )
    ]


def _panel(change: str, title: str, subtitle: str, data: pd.DataFrame) -> Panel:
    column = f"change_of_{change}"
    axis = "corrected minus released"
    y = alt.Y("defect:N", sort=list(NAMES.values()), title=None)
    look = {
        "y": y,
        "yOffset": alt.YOffset("place:Q", scale=alt.Scale(domain=[-2.2, 2.2])),
        "color": alt.Color("start:N", title=STARTS.title, scale=STARTS.scale("colour")),
        "opacity": unless_isolated("start"),
    }
    zero = (
        alt.Chart(alt.InlineData(values=[{"zero": 0}]))
        .mark_rule(color=QUIET)
        .encode(x=alt.X("zero:Q", title=axis))
    )
    base = chart().transform_calculate(place=f"({json.dumps(PLACES)})[datum.start]")
    intervals = (
        base.transform_filter(f"isValid(datum.{column}_low)")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X(f"{column}_low:Q", title=axis), x2=f"{column}_high:Q", **look)
    )
    marks = (
        base.transform_filter(f"isValid(datum.{column})")
        .mark_point(size=55)
        .encode(
            x=alt.X(f"{column}:Q", title=axis, axis=alt.Axis(tickCount=4)),
            shape=alt.Shape("start:N", title=STARTS.title, scale=STARTS.scale("shape")),
            tooltip=[
                alt.Tooltip("defect:N"),
                alt.Tooltip("start:N", title="all else"),
                alt.Tooltip(f"{column}:Q", title="change", format=".3f"),
                alt.Tooltip(f"{column}_low:Q", title="interval from", format=".3f"),
                alt.Tooltip(f"{column}_high:Q", title="to", format=".3f"),
                alt.Tooltip("kendall_tau:Q", title="ranking against the end (tau)", format=".2f"),
                alt.Tooltip("kendall_tau_low:Q", title="tau from", format=".2f"),
                alt.Tooltip("kendall_tau_high:Q", title="tau to", format=".2f"),
            ],
            **look,
        )
    )
    return Panel(
        title=title,
        subtitle=subtitle,
        description=f"{title}: change when each defect is corrected, from either end, and when all are.",
        chart=layered(zero, intervals if data[f"{column}_low"].notna().any() else None, marks),
        height=34 * data["defect"].nunique(),
    )


def _summary(data: pd.DataFrame, ends: pd.DataFrame) -> str:
    """The two ends, the largest change of alignment from either, the effect on the ranking, and limits."""
    sizes = ends.iloc[0]
    published, corrected = ends.loc["published"], ends.loc["corrected"]
    single = data[data["start"] != TOGETHER]
    sentences = [
        f"All corrections together change the mean alignment of {plural(sizes['n_train'], 'training set')} with "
        f"{plural(sizes['n_eval'], 'evaluation set')} from {number(published['alignment_mean'])} to "
        f"{number(corrected['alignment_mean'])}, by {_change(data[data['start'] == TOGETHER].iloc[0])}"
        f"{_about_r(published['r_within_eval'], corrected['r_within_eval'])}.",
        " ".join(
            _largest(single[single["start"] == start], end)
            for start, end in (
                (FROM_PUBLISHED, "the released algorithm"),
                (FROM_CORRECTED, "the corrected one"),
            )
        ),
        _ranking(single, ends, int(sizes["n_eval"])),
        f"Intervals are over {sizes['n_batches']} batches of each set; they do not extend to other sets"
        + (
            f", and with {sizes['n_train']} training sets neither r nor a ranking can be tested."
            if "not tested" in sizes["note"]
            else "."
        ),
    ]
    return " ".join(sentences)


def _about_r(published: float, corrected: float) -> str:
    if not math.isfinite(published - corrected):
        return "; their losses allow no correlation"
    return f", and r with loss within evaluation sets from {number(published)} to {number(corrected)}"


def _largest(rows: pd.DataFrame, end: str) -> str:
    """The switch that changes alignment most, among those whose interval excludes zero."""
    rows = rows[rows["change_of_alignment_low"].notna()]
    clear = rows[(rows["change_of_alignment_low"] > 0) | (rows["change_of_alignment_high"] < 0)]
    if clear.empty:
        return f"Flipped one at a time in {end}, none of {len(rows)} switches changes it by more than the batches vary."
    row = clear.loc[clear["change_of_alignment"].abs().idxmax()]
    return (
        f"Flipped one at a time in {end}, {len(clear)} of {len(rows)} switches change it by more than the batches "
        f"vary. The largest is '{row['defect']}': correcting it changes alignment by {_change(row)}."
    )


def _ranking(single: pd.DataFrame, ends: pd.DataFrame, n_eval: int) -> str:
    kept = {start: int((rows["kendall_tau"] > 1 - 1e-9).sum()) for start, rows in single.groupby("start")}
    count = {start: len(rows) for start, rows in single.groupby("start")}
    return (
        f"The ranking of training sets does not change on {_every(n_eval)} in {kept[FROM_PUBLISHED]} of "
        f"{count[FROM_PUBLISHED]} flips of the released algorithm, and in {kept[FROM_CORRECTED]} of "
        f"{count[FROM_CORRECTED]} of the corrected one. {_surely_moved(single)} Between two halves of the batches, "
        f"tau is {number(ends.loc['published', 'tau_of_halves'])} for the ranking of the released algorithm, and "
        f"{number(ends.loc['corrected', 'tau_of_halves'])} for that of the corrected one."
    )


def _surely_moved(single: pd.DataFrame) -> str:
    """Flips whose interval of tau excludes 1."""
    moved = single[single["kendall_tau_high"] < 1 - 1e-9]
    if moved.empty:
        return "No flip changes it by more than the batches vary: every interval of tau includes 1."
    listed = ", ".join(f"'{row['defect']}' ({row['start']})" for _, row in moved.iterrows())
    return f"It changes by more than the batches vary with {listed}."


def _every(n_eval: int) -> str:
    return {1: "the one evaluation set", 2: "both evaluation sets"}.get(
        n_eval, f"all {n_eval} evaluation sets"
    )


def _change(row: "pd.Series[Any]") -> str:
    ends = interval(row["change_of_alignment_low"], row["change_of_alignment_high"])
    return f"{number(row['change_of_alignment'])} (95% interval {ends})"

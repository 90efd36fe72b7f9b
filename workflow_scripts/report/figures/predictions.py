"""How well each measure predicts left-out losses, alone and together with a cheap measure."""

import altair as alt
import numpy as np
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
    experiments_and_parts,
    largest_budget,
)
from workflow_scripts.report.look import CATEGORIES
from workflow_scripts.report.wording import interval, number, plain, sentence
from workflow_scripts.statistics.predictions import EVAL_SET, FAMILY, TRAIN_SET
from workflow_scripts.statistics.short_run import SHORT_RUNS

NAMES = {TRAIN_SET: "training set", FAMILY: "family of training sets", EVAL_SET: "evaluation set"}
LEGEND = Legend(
    "left_out",
    "Left out",
    tuple(
        LegendEntry(name, CATEGORIES[place], shape)
        for place, (name, shape) in enumerate(
            zip(NAMES.values(), ("circle", "square", "diamond"), strict=True)
        )
    ),
)
COLUMNS = [
    "panel",
    "metric",
    "beside",
    "left_out",
    *(f"{name}{end}" for name in ("error", "r2") for end in ("", "_low", "_high")),
    "baseline_error",
    *(f"effect{of}{end}" for of in ("", "_beside") for end in ("", "_low", "_high")),
    "n_points",
    "n_train",
    "n_families",
    "n_eval",
    "note",
]
AXIS = "mean error, nats"


def predictions(tables: Tables) -> list[Figure]:
    """Every experiment and part at its largest budget, within evaluation sets, without controls."""
    table = largest_budget(tables["predictions"])
    table = table[(table["scope"] == "within_eval") & (table["candidates"] == "all")]
    figures = []
    for experiment, part in experiments_and_parts(table):
        rows = table[(table["experiment"] == experiment) & (table["part"] == part)]
        if rows["n_train"].max() <= MOST_TRAIN_SETS:
            figures.append(_figure(experiment, part, rows))
    return figures


def _figure(experiment: str, part: str, rows: pd.DataFrame) -> Figure:
    alone = rows["beside"] == ""
    data = rows.assign(
        panel=np.where(alone, "alone", "beside " + rows["beside"].map(plain)),
        left_out=rows["left_out"].map(NAMES),
    )[COLUMNS].reset_index(drop=True)
    whole = part == "whole"
    return Figure(
        name=f"predictions_{experiment}" + ("" if whole else f"_{part}"),
        title=f"Does it predict what it has not seen? {sentence(plain(experiment))}"
        + ("" if whole else f", {PART_NAMES[part]}"),
        summary=_summary(rows),
        data=data,
        panels=tuple(
            _panel(str(panel), own, _longest(rows)) for panel, own in data.groupby("panel", sort=False)
        ),
        legends=(LEGEND,),
        columns=2,
    )


def _longest(rows: pd.DataFrame) -> float:
    """The end of the axis: with few sets, an interval may be many times wider than all errors."""
    return float(rows["error"].max()) * (1.6 if rows["error_low"].notna().any() else 1.1)


def _panel(panel: str, rows: pd.DataFrame, longest: float) -> Panel:
    base = chart().transform_filter(f"datum.panel === '{panel}'")
    order = list(rows.groupby("metric")["error"].min().sort_values().index)
    scale = alt.Scale(domain=[0, longest], clamp=True)
    x = alt.X("error:Q", title=AXIS, scale=scale)
    y = alt.Y("metric:N", sort=order, title=None, axis=alt.Axis(labelExpr="replace(datum.label, /_/g, ' ')"))
    look = {
        "y": y,
        "yOffset": alt.YOffset("left_out:N", sort=list(NAMES.values())),
        "color": alt.Color("left_out:N", title=LEGEND.title, scale=LEGEND.scale("colour"), sort=None),
    }
    intervals = (
        base.transform_filter("isValid(datum.error_low)")
        .mark_rule(strokeWidth=1.5)
        .encode(
            x=alt.X("error_low:Q", title=AXIS, scale=scale),
            x2="error_high:Q",
            opacity=unless_isolated("left_out", shown=0.45),
            **look,
        )
    )
    marks = base.mark_point(size=45).encode(
        x=x,
        shape=alt.Shape("left_out:N", title=LEGEND.title, scale=LEGEND.scale("shape"), sort=None),
        opacity=unless_isolated("left_out"),
        tooltip=[
            "metric:N",
            alt.Tooltip("beside:N"),
            alt.Tooltip("left_out:N", title="left out"),
            alt.Tooltip("error:Q", title=AXIS, format=".3f"),
            alt.Tooltip("error_low:Q", title="interval from", format=".3f"),
            alt.Tooltip("error_high:Q", title="to", format=".3f"),
            alt.Tooltip("baseline_error:Q", title="error without a measure", format=".3f"),
            alt.Tooltip("r2:Q", title="R²", format=".2f"),
            alt.Tooltip("effect:Q", title="nats for one standard deviation", format=".3f"),
            alt.Tooltip("effect_beside:Q", title="of the other measure", format=".3f"),
        ],
        **look,
    )
    return Panel(
        title=sentence(panel),
        subtitle="error of predicted left-out losses; left is better",
        description=f"Mean error of predicted losses for each measure {panel}, by the kind of unit left out.",
        chart=layered(intervals if rows["error_low"].notna().any() else None, marks),
        height=max(120, 36 * len(order)),
    )


def _summary(rows: pd.DataFrame) -> str:
    """The best measure, alone and with a second one, measures whose weight has the wrong sign, and short runs."""
    unit = next(name for name in (FAMILY, TRAIN_SET, EVAL_SET) if name in set(rows["left_out"]))
    own = rows[rows["left_out"] == unit]
    measured = own[~own["metric"].isin(SHORT_RUNS)]
    alone, pairs = (measured[measured["beside"].eq("") == single] for single in (True, False))
    best = alone.loc[alone["error"].idxmin()]
    sentences = [
        f"With one {NAMES[unit]} left out at a time, {plain(best['metric'])} predicts its losses best: "
        f"{_stated(best)}, compared with {number(best['baseline_error'], 3)} for the mean of the others."
    ]
    if len(pairs):
        pair = pairs.loc[pairs["error"].idxmin()]
        sentences.append(
            f"Of two measures together, {plain(pair['metric'])} with {plain(pair['beside'])} has {_stated(pair)}."
        )
        # Loss falls as alignment rises, so a positive weight has the wrong sign.
        turned = [plain(name) for name in pairs.loc[pairs["effect"] > 0, "metric"]]
        if turned:
            sentences.append(
                f"Together with {plain(pair['beside'])}, the weight of {', '.join(turned)} has the wrong sign: more "
                "alignment, more loss."
            )
    runs = own[own["metric"].isin(SHORT_RUNS)]
    if len(runs):
        sentences.append(f"A short run has {_stated(runs.iloc[0])}.")
    return " ".join(sentences)


def _stated(row: "pd.Series[float]") -> str:
    spread = (
        f" (95% interval {interval(row['error_low'], row['error_high'], 3)})"
        if np.isfinite(row["error_low"])
        else ""
    )
    return f"a mean error of {number(row['error'], 3)} nats{spread}, R² {number(row['r2'])}"

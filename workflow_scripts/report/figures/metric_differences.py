"""Is another measure better than the paper's? Paired differences of correlation, one figure per experiment."""

import altair as alt
import numpy as np
import pandas as pd

from workflow_scripts.report.figure import Figure, Panel, Tables, chart, layered
from workflow_scripts.report.headline import (
    PART_NAMES,
    SCOPE_NAMES,
    experiments_and_parts,
    largest_budget,
    paper_metric,
)
from workflow_scripts.report.look import ACCENT, QUIET
from workflow_scripts.report.wording import excludes_zero, interval, number, plain, plural, sentence

SCOPES = ("pooled", "within_eval", "double_centred")
COLUMNS = ["scope", "metric", "r", "r_reference", "difference", "ci_low", "ci_high", "excludes_zero", "note"]
AXIS = "difference of r"


def metric_differences(tables: Tables) -> list[Figure]:
    """Every experiment and part at its largest budget in which the difference is defined."""
    table = largest_budget(tables["metric_differences"])
    table = table[table["scope"].isin(SCOPES) & table["difference"].notna()]
    figures = []
    for experiment, part in experiments_and_parts(table):
        rows = table[(table["experiment"] == experiment) & (table["part"] == part)]
        by_scope = {
            scope: rows.loc[rows["scope"] == scope, "difference"] for scope in ("pooled", "within_eval")
        }
        if np.array_equal(*by_scope.values()):
            # With one evaluation set, there is only the scope within it.
            rows = rows[rows["scope"] == "pooled"]
        figures.append(_figure(experiment, part, rows))
    return figures


def _figure(experiment: str, part: str, rows: pd.DataFrame) -> Figure:
    reference = paper_metric(sorted({*rows["metric"], *rows["other"]}))
    data = _against(rows, reference)
    whole = part == "whole"
    main = data[data["scope"] == ("within_eval" if "within_eval" in set(data["scope"]) else "pooled")]
    order = list(main.sort_values("difference")["metric"])
    return Figure(
        name=f"metric_differences_{experiment}" + ("" if whole else f"_{part}"),
        title=f"Is another measure better? {sentence(plain(experiment))}"
        + ("" if whole else f", {PART_NAMES[part]}"),
        summary=_summary(main, reference),
        data=data[COLUMNS].reset_index(drop=True),
        panels=tuple(
            _panel(scope, of_scope, order, reference)
            for scope in SCOPES
            if len(of_scope := data[data["scope"] == scope])
        ),
        check=True,
    )


def _against(rows: pd.DataFrame, reference: str) -> pd.DataFrame:
    """r of every other measure minus r of the reference, in either order of the table."""
    first = rows[rows["other"] == reference].rename(columns={"r_metric": "r", "r_other": "r_reference"})
    second = rows[rows["metric"] == reference]
    second = second.assign(
        metric=second["other"],
        r=second["r_other"],
        r_reference=second["r_metric"],
        difference=-second["difference"],
        ci_low=-second["ci_high"],
        ci_high=-second["ci_low"],
    )
    both = pd.concat([first, second])
    return both.assign(excludes_zero=[excludes_zero(row) for _, row in both.iterrows()])


def _panel(scope: str, rows: pd.DataFrame, order: list[str], reference: str) -> Panel:
    base = chart().transform_filter(f"datum.scope === '{scope}'")
    y = alt.Y("metric:N", sort=order, title=None, axis=alt.Axis(labelExpr="replace(datum.label, /_/g, ' ')"))
    colour = alt.condition("datum.excludes_zero", alt.value(ACCENT), alt.value(QUIET))
    zero = (
        alt.Chart(alt.InlineData(values=[{"zero": 0}]))
        .mark_rule(color=QUIET)
        .encode(x=alt.X("zero:Q", title=AXIS))
    )
    intervals = (
        base.transform_filter("isValid(datum.ci_low)")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("ci_low:Q", title=AXIS), x2="ci_high:Q", y=y, color=colour)
    )
    marks = base.mark_point(size=70).encode(
        x=alt.X("difference:Q", title=AXIS, axis=alt.Axis(tickCount=4)),
        y=y,
        color=colour,
        tooltip=[
            "metric:N",
            alt.Tooltip("r:Q", format=".3f"),
            alt.Tooltip("r_reference:Q", title=f"r of {plain(reference)}", format=".3f"),
            alt.Tooltip("difference:Q", format=".3f"),
            alt.Tooltip("ci_low:Q", title="interval from", format=".3f"),
            alt.Tooltip("ci_high:Q", title="to", format=".3f"),
        ],
    )
    return Panel(
        title=sentence(SCOPE_NAMES[scope]),
        subtitle="left of zero: better than the reference",
        description=f"Correlation of each measure minus that of {plain(reference)}, {SCOPE_NAMES[scope]}.",
        chart=layered(zero, intervals if rows["ci_low"].notna().any() else None, marks),
        height=max(60, 26 * len(rows)),
    )


def _summary(rows: pd.DataFrame, reference: str) -> str:
    if rows["ci_low"].isna().all():
        return (
            f"The correlation of each measure minus that of {plain(reference)}. There are too few families "
            "of training sets for intervals, so no measure can be called better."
        )
    clear = rows[rows["excludes_zero"]]
    better = clear[clear["difference"] < 0].sort_values("difference")
    text = (
        f"On the same pairs, the correlation of each measure minus that of {plain(reference)}: the "
        f"interval of {len(clear)} of {plural(len(rows), 'difference')} excludes zero"
    )
    if better.empty:
        return f"{text}, and none of them shows that another measure correlates better with loss."
    best = better.iloc[0]
    return (
        f"{text}; {plain(best['metric'])} is better by {number(-best['difference'])} "
        f"({interval(-best['ci_high'], -best['ci_low'])})."
    )

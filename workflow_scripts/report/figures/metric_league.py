"""Which measure correlates with loss most closely: a figure per experiment, a panel per scope, a row per metric."""

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Panel, Tables, chart, layered
from workflow_scripts.report.headline import (
    PART_NAMES,
    PROBE_RANGE,
    SCOPE_NAMES,
    experiments_and_parts,
    has_probe_range,
    informative_scope,
    largest_budget,
    which_alignment,
    with_probe_range,
)
from workflow_scripts.report.look import ACCENT, QUIET
from workflow_scripts.report.wording import count, excludes_zero, number, plain, plural, sentence
from workflow_scripts.statistics.run_correlations import OF_WHOLE

COLUMNS = [
    "metric",
    "panel",
    "alignment_part",
    "value",
    "ci_low",
    "ci_high",
    "excludes_zero",
    "p_permutation",
    "p_holm",
    "p_smallest",
    "given",
    "n_points",
    "n_train",
    "n_families",
    "n_eval",
    "families_needed",
    "families_needed_half",
    "note",
]
AXIS = "correlation with loss"


def metric_league(tables: Tables) -> list[Figure]:
    """Every experiment and part at its largest budget."""
    chosen = largest_budget(tables["correlation"])
    chosen = with_probe_range(chosen[chosen["statistic"].str.match("pearson_r|partial_r")], tables)
    return [
        _figure(experiment, part, chosen[(chosen["experiment"] == experiment) & (chosen["part"] == part)])
        for experiment, part in experiments_and_parts(chosen)
    ]


def _figure(experiment: str, part: str, rows: pd.DataFrame) -> Figure:
    scope = informative_scope(rows, experiment, part)
    rows = rows.assign(
        panel=[_panel_name(row) for _, row in rows.iterrows()],
        excludes_zero=[excludes_zero(row) for _, row in rows.iterrows()],
    )
    plain_rows = rows[rows["statistic"] == "pearson_r"]
    defined = set(plain_rows.loc[plain_rows["value"].notna(), "scope"])
    # With one evaluation set, there is only the scope within it.
    scopes = [
        name for name in SCOPE_NAMES if name in defined and (scope == "within_eval" or "within" not in name)
    ]
    partial = rows[rows["statistic"].str.startswith("partial_r") & (rows["scope"] == scope)]
    partial = partial[partial["value"].notna()]
    of_whole = rows[(rows["statistic"] == OF_WHOLE) & (rows["scope"] == scope) & rows["value"].notna()]
    data = pd.concat([plain_rows[plain_rows["scope"].isin(scopes)], of_whole, partial])
    main = plain_rows[plain_rows["scope"] == scope].sort_values("value")
    order = list(main["metric"])
    whole = part == "whole"
    return Figure(
        name=f"metric_league_{experiment}" + ("" if whole else f"_{part}"),
        title=f"Measures compared: {plain(experiment)}" + ("" if whole else f", {PART_NAMES[part]}"),
        summary=_summary(main, scope) + which_alignment(main),
        data=data[[*COLUMNS, *(name for name in PROBE_RANGE if name in data)]].reset_index(drop=True),
        panels=tuple(
            _panel(str(name), data[data["panel"] == name], order) for name in data["panel"].unique()
        ),
    )


def _panel_name(row: pd.Series) -> str:
    scope = SCOPE_NAMES[row["scope"]]
    if row["statistic"] == "pearson_r":
        return scope
    if row["statistic"] == OF_WHOLE:
        return f"{scope}, alignment of whole pairs"
    given = row["statistic"].removeprefix("partial_r").removeprefix("_given_")
    return f"{scope}, given {plain(given) or 'the covariates'}"


def _panel(name: str, rows: pd.DataFrame, order: list[str]) -> Panel:
    base = chart().transform_filter(f"datum.panel === '{name}'".replace("the target's", "the target\\'s"))
    y = alt.Y("metric:N", sort=order, title=None, axis=alt.Axis(labelExpr="replace(datum.label, /_/g, ' ')"))
    scale = alt.Scale(domain=[-1, 1])
    colour = alt.condition("datum.excludes_zero", alt.value(ACCENT), alt.value(QUIET))
    zero = (
        alt.Chart(alt.InlineData(values=[{"zero": 0}]))
        .mark_rule(color=QUIET, strokeWidth=1)
        .encode(x=alt.X("zero:Q", scale=scale, title=AXIS))
    )
    rules = (
        base.transform_filter("isValid(datum.ci_low)")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("ci_low:Q", scale=scale, title=AXIS), x2="ci_high:Q", y=y, color=colour)
    )
    probes = (
        base.transform_filter("isValid(datum.probes_low)")
        .mark_bar(height=9, opacity=0.3)
        .encode(x=alt.X("probes_low:Q", scale=scale, title=AXIS), x2="probes_high:Q", y=y, color=colour)
    )
    marks = base.mark_point(size=70).encode(
        x=alt.X("value:Q", scale=scale, title=AXIS),
        y=y,
        color=colour,
        tooltip=[
            "metric:N",
            alt.Tooltip("value:Q", title="r", format=".3f"),
            alt.Tooltip("ci_low:Q", title="interval from", format=".3f"),
            alt.Tooltip("ci_high:Q", title="to", format=".3f"),
            alt.Tooltip("p_permutation:Q", title="p", format=".3g"),
            alt.Tooltip("p_holm:Q", title="p after Holm", format=".3g"),
            alt.Tooltip("given:N", title="given"),
            alt.Tooltip("alignment_part:N", title="alignment of"),
        ],
    )
    return Panel(
        title=sentence(name),
        subtitle="",
        description=f"Correlation of each measure with loss, {name}, with 95% intervals.",
        chart=layered(
            zero,
            probes if has_probe_range(rows) else None,
            rules if rows["ci_low"].notna().any() else None,
            marks,
        ),
        height=max(60, 26 * rows["metric"].nunique()),
    )


def _summary(main: pd.DataFrame, scope: str) -> str:
    defined = main[main["value"].notna()]
    if defined.empty:
        return "No correlation could be computed."
    best = defined.iloc[0]
    clear = int(sum(excludes_zero(row) for _, row in defined.iterrows()))
    where = SCOPE_NAMES[scope] if scope != "pooled" else "over all pairs"
    intervals = (
        f"the interval of {clear} of {plural(len(defined), 'measure')} excludes zero"
        if defined["ci_low"].notna().any()
        else f"there is no interval: {best['note']}"
    )
    return (
        f"The more negative, the better alignment predicts a low loss. {sentence(where)}, at "
        f"{count(best['tokens'])} tokens, the most negative is {plain(best['metric'])} "
        f"({number(best['value'])}); {intervals}. Marks in grey have an interval that includes zero, or none."
        + (" Bands: from the least to the largest value over probes." if has_probe_range(main) else "")
    )

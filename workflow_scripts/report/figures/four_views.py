"""Whether a verdict is the same in four views: Pearson, ranks, out of domain, with the controls."""

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, Panel, Tables, chart, layered, unless_isolated
from workflow_scripts.report.headline import (
    PART_NAMES,
    SCOPE_NAMES,
    experiments_and_parts,
    informative_scope,
    largest_budget,
)
from workflow_scripts.report.look import category_entries
from workflow_scripts.report.wording import plain, plural, sentence
from workflow_scripts.statistics.choice import BLIND, SHORT_RUNS
from workflow_scripts.statistics.views import PEARSON, VIEW_COLUMNS, VIEWS, first_by_view, fragile, views_of

CANDIDATES = {"all": PEARSON, "out_of_domain": "out of domain", "with_controls": "with controls"}
LEGEND = Legend("view", "View", category_entries(VIEWS))


def four_views(tables: Tables) -> list[Figure]:
    """Every experiment and part at its largest budget that has more than one view."""
    correlation, choice = (largest_budget(tables[name]) for name in ("correlation", "choice"))
    figures = []
    for experiment, part in experiments_and_parts(correlation):
        panel, chosen = (
            frame[(frame["experiment"] == experiment) & (frame["part"] == part)]
            for frame in (correlation, choice)
        )
        scope = informative_scope(correlation, experiment, part)
        views = views_of(panel, scope)
        if len(views):
            figures.append(_figure(experiment, part, scope, views, chosen[chosen["eval_set"].isna()]))
    return figures


def _figure(experiment: str, part: str, scope: str, views: pd.DataFrame, choice: pd.DataFrame) -> Figure:
    regrets = choice[choice["metric"] != BLIND].rename(
        columns={"regret": "value", "regret_low": "ci_low", "regret_high": "ci_high"}
    )
    regrets = regrets.assign(view=regrets["candidates"].map(CANDIDATES))
    data = pd.concat(
        [views.assign(what="correlation with loss"), regrets[VIEW_COLUMNS].assign(what="regret, nats")],
        ignore_index=True,
    )
    order = list(views[views["view"] == PEARSON].sort_values("value")["metric"])
    whole = part == "whole"
    return Figure(
        name=f"four_views_{experiment}" + ("" if whole else f"_{part}"),
        title=f"Does the verdict hold? {sentence(plain(experiment))}"
        + ("" if whole else f", {PART_NAMES[part]}"),
        summary=_summary(views, regrets),
        data=data,
        panels=tuple(
            _panel(
                str(what),
                SCOPE_NAMES[scope] if what.startswith("corr") else "mean over evaluation sets",
                rows,
                order if what.startswith("corr") else [*order, *_baselines(regrets)],
            )
            for what, rows in data.groupby("what", sort=False)
        ),
        legends=(LEGEND,),
        columns=2,
    )


def _baselines(regrets: pd.DataFrame) -> list[str]:
    """Short runs, which choose like measures but are not measures."""
    return [name for name in SHORT_RUNS if name in set(regrets["metric"])]


def _panel(what: str, where: str, rows: pd.DataFrame, order: list[str]) -> Panel:
    base = chart().transform_filter(f"datum.what === '{what}'")
    x = alt.X("value:Q", title=what, scale=alt.Scale(zero=True, nice=True))
    y = alt.Y("metric:N", sort=order, title=None, axis=alt.Axis(labelExpr="replace(datum.label, /_/g, ' ')"))
    offset = alt.YOffset("view:N", sort=list(VIEWS))
    colour = alt.Color("view:N", title=LEGEND.title, scale=LEGEND.scale("colour"), sort=None)
    intervals = (
        base.transform_filter("isValid(datum.ci_low)")
        .mark_rule(strokeWidth=1.5)
        .encode(
            x=alt.X("ci_low:Q", title=what),
            x2="ci_high:Q",
            y=y,
            yOffset=offset,
            color=colour,
            opacity=unless_isolated("view", shown=0.45),
        )
    )
    marks = base.mark_point(size=45).encode(
        x=x,
        y=y,
        yOffset=offset,
        color=colour,
        shape=alt.Shape("view:N", title=LEGEND.title, scale=LEGEND.scale("shape"), sort=None),
        opacity=unless_isolated("view"),
        tooltip=[
            "metric:N",
            "view:N",
            alt.Tooltip("value:Q", title=what, format=".3f"),
            alt.Tooltip("ci_low:Q", title="interval from", format=".3f"),
            alt.Tooltip("ci_high:Q", title="to", format=".3f"),
        ],
    )
    return Panel(
        title=sentence(what),
        subtitle=where,
        description=f"{sentence(what)} of each measure in up to four views.",
        chart=layered(intervals if rows["ci_low"].notna().any() else None, marks),
        height=max(120, 44 * len(order)),
        wide=True,
    )


def _summary(views: pd.DataFrame, regrets: pd.DataFrame) -> str:
    first = first_by_view(views)
    metrics = list(dict.fromkeys(views["metric"]))
    unsteady = [f"{plain(name)} ({found})" for name in metrics if (found := fragile(views, name))]
    relations = (
        f"The relation with loss is fragile for {', '.join(unsteady)}: in these views, the sign differs, or "
        "whether the interval excludes zero"
        if unsteady
        else f"The sign of the relation is the same in every view for {plural(len(metrics), 'measure')}"
    )
    chosen = {
        view: str(rows.loc[rows["value"].idxmin(), "metric"])
        for view, rows in regrets[~regrets["metric"].isin(SHORT_RUNS)].groupby("view", sort=False)
        if rows["value"].notna().any()
    }
    parts = [f"{relations}.", _firsts("The best correlation with loss", first)]
    return " ".join([*parts, _firsts("Least regret", chosen)] if chosen else parts)


def _firsts(what: str, first: dict[str, str]) -> str:
    names = set(first.values())
    if len(names) == 1:
        return f"{what} in every view ({', '.join(first)}): {plain(names.pop())}."
    listed = ", ".join(f"{view}: {plain(name)}" for view, name in first.items())
    return f"{what} is fragile: {listed}."

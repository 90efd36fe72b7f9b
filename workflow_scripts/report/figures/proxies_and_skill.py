"""The gain from a few training runs: rank correlation against the number of proxies that a predictor learned from."""

import altair as alt
import pandas as pd

from workflow_scripts.report import near_one
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
from workflow_scripts.report.look import CATEGORIES
from workflow_scripts.report.token_tables import (
    LAW,
    OWN_SHARE,
    SUMMARY_NAMES,
    TEXT,
    Measure,
    best_measure,
    chosen_on_itself,
    experiment_names,
    overall,
)
from workflow_scripts.report.wording import number, plain, plural, sentence
from workflow_scripts.statistics.mixture_ranking import ALL, MEAN

COLUMNS = [
    "experiment",
    "model",
    "target",
    "learner",
    "proxies",
    "spearman",
    "ci_low",
    "ci_high",
    "draw_sd",
    "regret",
    "draws",
    "n_runs",
    "note",
]
OWN = "own share"
LEARNERS = {
    "flat_prior": "law, flat prior",
    "gradient_boosting": "gradient boosting",
    "linear_regression": "linear regression",
}
PHRASES = {name: name for name in LEARNERS.values()} | {LEARNERS["flat_prior"]: "the law without it"}


def proxies_and_skill(tables: Tables) -> list[Figure]:
    """One figure: for each experiment a panel of means over targets, and one of all targets at once."""
    measure = best_measure(tables)
    with_text = f"law, prior from {measure.name}"
    rows = _rows(overall(tables["effective_tokens"]), measure, with_text)
    if not rows["proxies"].gt(0).any():
        return []
    learners = [with_text, *LEARNERS.values()]
    legend = Legend(
        "learner",
        "Predicted by",
        tuple(
            LegendEntry(name, colour, "circle")
            for name, colour in zip(learners, CATEGORIES, strict=False)
            if name in set(rows["learner"])
        ),
    )
    panels = [
        _panel(experiment, shown, legend, near_one.scale(rows), chosen_on_itself(tables, experiment))
        for experiment in experiment_names(rows)
        for target in (MEAN, ALL)
        if len(shown := rows[(rows["experiment"] == experiment) & (rows["eval_set"] == target)])
    ]
    return [
        Figure(
            name="proxies_and_skill",
            title="What a few training runs add",
            summary=_summary(tables, rows, with_text),
            data=rows[COLUMNS].reset_index(drop=True),
            panels=tuple(panels),
            legends=(legend,),
            columns=2,
        )
    ]


def _rows(ranking: pd.DataFrame, measure: Measure, with_text: str) -> pd.DataFrame:
    """Text only is the law's prior, before it learns from any run."""
    prior = pd.concat([measure.of(ranking, TEXT), measure.of(ranking, LAW)]).assign(learner=with_text)
    others = ranking[ranking["metric"].isin(LEARNERS)]
    others = others.assign(learner=others["metric"].map(LEARNERS))
    own = ranking[ranking["metric"] == OWN_SHARE].assign(learner=OWN)
    rows = pd.concat([prior, others, own])
    rows = rows.assign(target=rows["eval_set"].map(SUMMARY_NAMES))
    names = [*rows["learner"].unique()]
    order = {
        "experiment": experiment_names(ranking),
        "target": list(SUMMARY_NAMES.values()),
        "learner": names,
    }
    return rows.sort_values(
        [*order, "proxies"],
        key=lambda column: column.map(order[column.name].index) if column.name in order else column,
        kind="stable",
    )


def _panel(experiment: str, rows: pd.DataFrame, legend: Legend, scale: alt.Scale, in_sample: bool) -> Panel:
    title = f"{sentence(plain(experiment))}: {rows['target'].iloc[0]}"
    base = near_one.lacking(
        chart().transform_filter(
            f"datum.experiment === '{experiment}' && datum.target === '{rows['target'].iloc[0]}'"
        )
    )
    learners = [entry.value for entry in legend.entries]
    x = alt.X(
        "proxies:O", title="proxies: number of training runs used", axis=alt.Axis(labelAngle=0, grid=False)
    )
    offset = alt.XOffset("learner:N", sort=learners, scale=alt.Scale(domain=learners, paddingOuter=1))
    y = near_one.y("spearman", scale)
    colour = alt.Color("learner:N", title=legend.title, scale=legend.scale("colour"), sort=None)
    own = base.transform_filter(f"datum.learner === '{OWN}'")
    own_line = near_one.baseline(own, "learner", y=y)
    shown = base.transform_filter(f"datum.learner !== '{OWN}'")
    lines = shown.mark_line(strokeWidth=1).encode(
        x=x, xOffset=offset, y=y, color=colour, opacity=unless_isolated("learner", shown=0.5)
    )
    rules = shown.mark_rule(strokeWidth=1.5).encode(
        x=x,
        xOffset=offset,
        y=near_one.y("ci_low", scale),
        y2="ci_high_lacks:Q",
        color=colour,
        opacity=unless_isolated("learner", shown=0.6),
    )
    marks = shown.mark_point(size=45).encode(
        x=x,
        xOffset=offset,
        y=y,
        color=colour,
        opacity=unless_isolated("learner"),
        tooltip=[
            alt.Tooltip("learner:N", title="predicted by"),
            "proxies:Q",
            *near_one.tooltips(),
            alt.Tooltip("regret:Q", title="regret, nats", format=".3f"),
            alt.Tooltip("draws:Q", title="draws of proxies"),
        ],
    )
    owned = rows.loc[rows["learner"] == OWN, "spearman"]
    line = near_one.own_share_line(owned)
    folds = "; learned from the other runs, in folds" if in_sample else ""
    return Panel(
        title=title,
        subtitle=f"{plural(int(rows['n_runs'].iloc[0]), 'mixture')}; {line}{folds}",
        description=f"Rank correlation with lower loss against the number of proxies. {title}; {line}{folds}.",
        chart=layered(own_line if len(owned) else None, lines, rules, marks),
        height=270,
    )


def _summary(tables: Tables, rows: pd.DataFrame, with_text: str) -> str:
    sentences = ["Proxies are cheap runs whose losses a predictor learns from; 0 is text only."]
    means = rows[(rows["eval_set"] == MEAN) & (rows["proxies"] > 0)]
    for experiment in experiment_names(means):
        if chosen_on_itself(tables, experiment):
            continue
        own = means[means["experiment"] == experiment]
        fewest = own[own["proxies"] == own["proxies"].min()]
        values = ", ".join(
            f"{number(value, 3)} by {'the law with text' if learner == with_text else PHRASES[learner]}"
            for learner, value in fewest.set_index("learner")["spearman"].sort_values(ascending=False).items()
        )
        sentences.append(f"In {plain(experiment)} {fewest['proxies'].iloc[0]} proxies give {values}.")
    return " ".join(sentences)

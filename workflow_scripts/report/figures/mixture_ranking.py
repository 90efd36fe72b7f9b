"""How well each measure ranks mixtures from text only, compared with the target's own share."""

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
from workflow_scripts.report.look import CATEGORIES, INK
from workflow_scripts.report.token_tables import (
    OWN_SHARE,
    SUMMARY_NAMES,
    TEXT,
    ahead_of_own_share,
    chosen_on_itself,
    experiment_names,
    overall,
)
from workflow_scripts.report.wording import interval, number, plain, plural, sentence
from workflow_scripts.statistics.mixture_ranking import ALL, MEAN

COLUMNS = [
    "experiment",
    "model",
    "target",
    "metric",
    "way",
    "spearman",
    "ci_low",
    "ci_high",
    "ahead",
    "ahead_low",
    "ahead_high",
    "clearly_ahead",
    "regret",
    "n_runs",
    "note",
]
MIXED, BASELINE = "alignment of the mixture", "baseline"


def mixture_ranking(tables: Tables) -> list[Figure]:
    """One figure: for each experiment a panel of means over targets, and one of all targets at once."""
    ranking = overall(tables["effective_tokens"])
    ranking = ahead_of_own_share(tables, ranking[ranking["proxies"] == 0])
    # Rows with proxies learned from the runs of other folds; these rows used no losses.
    ranking = ranking.assign(
        target=ranking["eval_set"].map(SUMMARY_NAMES),
        way=[_way(row["predictor"], row["kernel"]) for _, row in ranking.iterrows()],
        clearly_ahead=ranking["ahead_low"] > 0,
    )
    ways = [way for way in ranking["way"].unique() if way != BASELINE]
    colours = dict(zip([*sorted(ways, key=_place)], CATEGORIES, strict=False))
    legend = Legend(
        "way",
        "Ranked by",
        tuple(LegendEntry(way, colour, "circle") for way, colour in (colours | {BASELINE: INK}).items()),
    )
    order = _order(ranking)
    panels = [
        _panel(_title(tables, experiment, target), rows, legend, order, near_one.scale(ranking))
        for experiment in experiment_names(ranking)
        for target in (MEAN, ALL)
        if len(rows := ranking[(ranking["experiment"] == experiment) & (ranking["eval_set"] == target)])
    ]
    return [
        Figure(
            name="mixture_ranking",
            title="Ranking mixtures without training anything",
            summary=_summary(tables, ranking),
            data=ranking[COLUMNS].reset_index(drop=True),
            panels=tuple(panels),
            legends=(legend,),
            columns=2,
        )
    ]


def _way(predictor: str, kernel: str) -> str:
    if predictor == TEXT:
        shape, *fitted_to = kernel.split(", ")
        return f"effective tokens, {shape}" + (", sharpened" if fitted_to else "")
    return MIXED if predictor == "mixture_alignment" else BASELINE


def _place(way: str) -> tuple[bool, bool, bool]:
    """The root kernel before the exponential one, sharpened kernels after them, mixtures last."""
    return way == MIXED, "sharpened" in way, "root" not in way


def _order(ranking: pd.DataFrame) -> list[str]:
    """Measures by their best mean rank correlation in the last experiment, which is the largest by custom."""
    last = ranking[(ranking["experiment"] == experiment_names(ranking)[-1]) & (ranking["eval_set"] == MEAN)]
    best = last.groupby("metric")["spearman"].max().sort_values(ascending=False)
    return [str(name) for name in best.index if name != OWN_SHARE]


def _title(tables: Tables, experiment: str, target: str) -> str:
    itself = " (tau chosen on these losses)" if chosen_on_itself(tables, experiment) else ""
    return f"{sentence(plain(experiment))}: {SUMMARY_NAMES[target]}{itself}"


def _panel(title: str, rows: pd.DataFrame, legend: Legend, order: list[str], scale: alt.Scale) -> Panel:
    experiment, target = rows[["experiment", "target"]].iloc[0]
    base = near_one.lacking(
        chart().transform_filter(f"datum.experiment === '{experiment}' && datum.target === '{target}'")
    )
    shown = base.transform_filter(f"datum.metric !== '{OWN_SHARE}'")
    y = alt.Y("metric:N", sort=order, title=None, axis=alt.Axis(labelExpr="replace(datum.label, /_/g, ' ')"))
    ways = [entry.value for entry in legend.entries]
    offset = alt.YOffset("way:N", sort=ways, scale=alt.Scale(domain=ways, paddingOuter=0.6))
    colour = alt.Color("way:N", title=legend.title, scale=legend.scale("colour"), sort=None)
    own = base.transform_filter(f"datum.metric === '{OWN_SHARE}'")
    own_line = near_one.baseline(own, "metric", x=near_one.x("spearman", scale))
    rules = shown.mark_rule(strokeWidth=1.5).encode(
        x=near_one.x("ci_low", scale),
        x2="ci_high_lacks:Q",
        y=y,
        yOffset=offset,
        color=colour,
        opacity=unless_isolated("way", shown=0.5),
    )
    points = shown.encode(
        x=near_one.x("spearman", scale),
        y=y,
        yOffset=offset,
        color=colour,
        opacity=unless_isolated("way", shown=1),
        tooltip=[
            "metric:N",
            alt.Tooltip("way:N", title="ranked by"),
            *near_one.tooltips(),
            alt.Tooltip("ahead:Q", title="ahead of own share by", format=".3f"),
            alt.Tooltip("ahead_low:Q", title="interval from", format=".3f"),
            alt.Tooltip("ahead_high:Q", title="to", format=".3f"),
            alt.Tooltip("regret:Q", title="regret, nats", format=".3f"),
        ],
    )
    hollow = points.mark_point(size=34, strokeWidth=1.5, filled=False, fill="transparent")
    full = points.transform_filter("datum.clearly_ahead").mark_point(size=44)
    clear = bool(rows["clearly_ahead"].any())
    owned = rows.loc[rows["metric"] == OWN_SHARE, "spearman"]
    line = near_one.own_share_line(owned)
    present = rows.loc[rows["metric"] != OWN_SHARE]
    return Panel(
        title=title,
        subtitle=f"{plural(int(rows['n_runs'].iloc[0]), 'mixture')}; {line}",
        description=f"Rank correlation of each measure with lower loss, with 95% intervals. {title}; {line}.",
        chart=layered(own_line if len(owned) else None, rules, hollow, full if clear else None),
        height=max(90, (7 * present["way"].nunique() + 8) * present["metric"].nunique()),
    )


def _summary(tables: Tables, ranking: pd.DataFrame) -> str:
    text = ranking[(ranking["eval_set"] == MEAN) & (ranking["way"] != BASELINE)]
    sentences = ["Nothing was trained for these. Filled marks are clearly ahead of the target's own share."]
    for experiment in experiment_names(text):
        if chosen_on_itself(tables, experiment):
            continue
        rows = text[text["experiment"] == experiment]
        best = rows.loc[rows["spearman"].idxmax()]
        sentences.append(
            f"In {plain(experiment)} {plain(best['metric'])} leads ({best['way']}): {number(best['spearman'], 3)}, 95% "
            f"interval {interval(best['ci_low'], best['ci_high'], 3)}; {int(rows['clearly_ahead'].sum())} of "
            f"{plural(len(rows), 'ranking')} by text are clearly ahead."
        )
    return " ".join(sentences)

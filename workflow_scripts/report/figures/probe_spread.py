"""How much results depend on the probe: a figure per experiment, a mark per probe."""

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, Panel, Tables, chart, layered, unless_isolated
from workflow_scripts.report.headline import (
    PART_NAMES,
    SCOPE_NAMES,
    experiments_and_parts,
    largest_budget,
)
from workflow_scripts.report.look import category_entries
from workflow_scripts.report.wording import interval, plain, plural, sentence

R, REGRET = "correlation with loss", "regret, nats"
# With one evaluation set, this scope is all pairs.
SCOPE = "within_eval"
COLUMNS = ["what", "metric", "probe", "value", "ci_low", "ci_high"]


def probe_spread(tables: Tables) -> list[Figure]:
    """Every experiment and part at its largest budget in which something is defined."""
    spread = largest_budget(tables["probe_spread"])
    figures = [
        _figure(
            experiment,
            part,
            spread[(spread["experiment"] == experiment) & (spread["part"] == part)],
        )
        for experiment, part in experiments_and_parts(spread)
    ]
    return [figure for figure in figures if figure.panels]


def _figure(experiment: str, part: str, rows: pd.DataFrame) -> Figure:
    r = rows[(rows["scope"] == SCOPE) & (rows["statistic"] == "pearson_r")]
    regret = rows[(rows["scope"] == "all") & (rows["statistic"] == "regret")]
    data = pd.concat([r.assign(what=R), regret.assign(what=REGRET)], ignore_index=True)[COLUMNS]
    data = data[data["value"].notna()].reset_index(drop=True)
    legend = Legend("probe", "Probe", category_entries(list(dict.fromkeys(data["probe"]))))
    subtitles = {R: SCOPE_NAMES[SCOPE], REGRET: "mean over evaluation sets"}
    whole = part == "whole"
    return Figure(
        name=f"probe_spread_{experiment}" + ("" if whole else f"_{part}"),
        title=f"Does it depend on the probe? {sentence(plain(experiment))}"
        + ("" if whole else f", {PART_NAMES[part]}"),
        summary=_summary(r, regret),
        data=data,
        panels=tuple(
            _panel(str(what), subtitles[str(what)], shown, legend)
            for what, shown in data.groupby("what", sort=False)
        ),
        legends=(legend,),
        columns=2,
    )


def _panel(what: str, subtitle: str, rows: pd.DataFrame, legend: Legend) -> Panel:
    base = chart().transform_filter(f"datum.what === '{what}'")
    y = alt.Y("metric:N", title=None, axis=alt.Axis(labelExpr="replace(datum.label, /_/g, ' ')"))
    spans = base.mark_rule(strokeWidth=1.5, opacity=0.45).encode(
        x=alt.X("min(value):Q", title=what), x2="max(value):Q", y=y
    )
    marks = base.mark_point(size=55).encode(
        x=alt.X("value:Q", title=what, scale=alt.Scale(zero=False, nice=True)),
        y=y,
        color=alt.Color("probe:N", title=legend.title, scale=legend.scale("colour"), sort=None),
        shape=alt.Shape("probe:N", title=legend.title, scale=legend.scale("shape"), sort=None),
        opacity=unless_isolated("probe"),
        tooltip=[
            "metric:N",
            "probe:N",
            alt.Tooltip("value:Q", title=what, format=".3f"),
            alt.Tooltip("ci_low:Q", title="interval from", format=".3f"),
            alt.Tooltip("ci_high:Q", title="to", format=".3f"),
        ],
    )
    return Panel(
        title=sentence(what),
        subtitle=subtitle,
        description=f"{sentence(what)} of each measure that reads with the probe, a mark per probe.",
        chart=layered(spans, marks),
        height=max(90, 34 * rows["metric"].nunique()),
    )


def _summary(r: pd.DataFrame, regret: pd.DataFrame) -> str:
    n = r["probe"].nunique()
    listed = []
    for metric, rows in r.groupby("metric", sort=False):
        values = rows["value"].dropna()
        if values.empty:
            continue
        text = f"{plain(str(metric))} r {interval(values.min(), values.max())}"
        lost = regret.loc[regret["metric"] == metric, "value"]
        listed.append(text + (f", regret {interval(lost.min(), lost.max(), 3)} nats" if len(lost) else ""))
    first = r["probe"].iloc[0] if len(r) else ""
    return (
        f"Each measure that depends on the probe, with {plural(n, 'probe')} that differ only in their seed: "
        f"{'; '.join(listed) or 'no correlation could be computed'}. "
        f"The rest of the page shows the values by {first}."
    )

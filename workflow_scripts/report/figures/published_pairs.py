"""Scatter plots of the pairs that the paper printed: which of them produce the correlation?"""

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, LegendEntry, Panel, Tables, chart, unless_isolated
from workflow_scripts.report.headline import PUBLISHED_NAMES
from workflow_scripts.report.look import CATEGORIES
from workflow_scripts.report.wording import number, plural, sentence

# Perplexity and cross-entropy have separate axes, as the paper printed them.
UNITS = {"finetuning_af": "perplexity", "finetuning_docstring": "perplexity"}
DOMAIN = Legend(
    "domain",
    "Pair",
    (
        LegendEntry("in domain", CATEGORIES[0], "circle"),
        LegendEntry("out of domain", CATEGORIES[7], "square"),
    ),
)


def published_pairs(tables: Tables) -> list[Figure]:
    """One figure, a panel per published table."""
    points, published = tables["published_points"], tables["published"]
    data = points.assign(
        domain=["in domain" if near else "out of domain" for near in points["in_domain"]]
    ).drop(columns="in_domain")
    names = list(dict.fromkeys(data["table"]))
    return [
        Figure(
            name="published_pairs",
            title="What the paper printed",
            summary=_summary(published),
            data=data,
            panels=tuple(_panel(name, published) for name in names),
            legends=(DOMAIN,),
        )
    ]


def _value(published: pd.DataFrame, table: str, scope: str, statistic: str) -> float:
    chosen = published[
        (published["table"] == table) & (published["scope"] == scope) & (published["statistic"] == statistic)
    ]["value"]
    return float(chosen.iloc[0]) if len(chosen) else float("nan")


def _panel(table: str, published: pd.DataFrame) -> Panel:
    unit = UNITS.get(table, "cross-entropy")
    marks = (
        chart()
        .transform_filter(f"datum.table === '{table}'")
        .mark_point()
        .encode(
            x=alt.X("alignment:Q", title="alignment", scale=alt.Scale(zero=False, nice=False, padding=10)),
            y=alt.Y("loss:Q", title=unit, scale=alt.Scale(zero=False, nice=False, padding=10)),
            color=alt.Color("domain:N", title=DOMAIN.title, scale=DOMAIN.scale("colour")),
            shape=alt.Shape("domain:N", title=DOMAIN.title, scale=DOMAIN.scale("shape")),
            opacity=unless_isolated("domain"),
            tooltip=[
                alt.Tooltip("train_set:N", title="trained on"),
                alt.Tooltip("eval_set:N", title="evaluated on"),
                alt.Tooltip("alignment:Q", format=".3f"),
                alt.Tooltip("loss:Q", title=unit, format=".3f"),
                alt.Tooltip("domain:N", title="pair"),
            ],
        )
    )
    r2 = f"r² = {number(_value(published, table, 'pooled', 'r2'), 3)}"
    away = next(
        (
            scope
            for scope in ("out_of_domain_pooled", "without_in_domain")
            if _value(published, table, scope, "r2") >= 0
        ),
        None,
    )
    rest = f"; {number(_value(published, table, away, 'r2'), 3)} out of domain" if away else ""
    return Panel(
        title=PUBLISHED_NAMES[table],
        subtitle=f"{r2}{rest}",
        description=f"Scatter plot of {unit} against alignment, {PUBLISHED_NAMES[table]}; {r2}{rest}.",
        chart=marks,
        height=200,
    )


def _summary(published: pd.DataFrame) -> str:
    sentences = []
    for table, scope, where in (
        ("pretraining_new", "within_eval", "within evaluation sets"),
        ("finetuning_af", "without_in_domain", "without the sets that are the target's own training side"),
    ):
        r2, rest = _value(published, table, "pooled", "r2"), _value(published, table, scope, "r2")
        share = _value(published, table, "pooled", "variance_between_eval")
        if r2 >= 0:
            between = (
                f" {share:.0%} of the variance of the loss is between evaluation sets." if share >= 0 else ""
            )
            sentences.append(
                f"{sentence(PUBLISHED_NAMES[table])}: r² = {number(r2, 3)} over all pairs, "
                f"{number(rest, 3)} {where}.{between}"
            )
    tables = published["table"].nunique()
    return f"The numbers of arXiv 2501.08496, {plural(tables, 'table')}. " + " ".join(sentences)

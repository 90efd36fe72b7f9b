"""Real loss against the loss that the law predicts: do a few cheap runs predict larger models?"""

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, Panel, Tables, chart, layered, unless_isolated
from workflow_scripts.report.look import QUIET, category_entries
from workflow_scripts.report.token_tables import LAW, best_measure, chosen_on_itself, experiment_names
from workflow_scripts.report.wording import interval, number, plain, sentence
from workflow_scripts.statistics.mixture_ranking import ALL

COLUMNS = ["experiment", "fitted_to", "train_set", "predicted", "loss", "predicted_above", "loss_above"]


def predicted_and_real_loss(tables: Tables) -> list[Figure]:
    """One figure: a panel per experiment, a point per mixture, by the law from its fewest and its most proxies.

    Losses are means over the targets, minus their mean over the mixtures: a law fitted to models of one size
    does not know the level of another size.
    """
    measure = best_measure(tables)
    ranking = tables["effective_tokens"]
    skill = measure.of(ranking[(ranking["scope"] == "all") & (ranking["eval_set"] == ALL)], LAW)
    skill = skill.sort_values("proxies", kind="stable")
    predictions = tables["predicted_losses"]
    # If no experiment has proxies, each run is predicted from those of the other folds.
    elsewhere = [name for name in experiment_names(predictions) if not chosen_on_itself(tables, name)]
    if elsewhere:
        predictions = predictions[predictions["experiment"].isin(elsewhere)]
    if predictions.empty:
        return []
    data = _fewest_and_most(predictions)
    legend = Legend("fitted_to", "The law, fitted to", category_entries(list(data["fitted_to"].unique())))
    return [
        Figure(
            name="predicted_and_real_loss",
            title="Predicted and real loss",
            summary=_summary(data, skill, measure.name),
            data=data[COLUMNS].reset_index(drop=True),
            panels=tuple(
                _panel(data[data["experiment"] == name], skill[skill["experiment"] == name], legend)
                for name in experiment_names(data)
            ),
            legends=(legend,),
        )
    ]


def _fewest_and_most(predictions: pd.DataFrame) -> pd.DataFrame:
    """A row per experiment, number of proxies (the fewest and the most) and mixture: means over the targets."""
    proxies = predictions.groupby("experiment")["proxies"]
    is_end = (predictions["proxies"] == proxies.transform("min")) | (
        predictions["proxies"] == proxies.transform("max")
    )
    means = (
        predictions[is_end]
        .groupby(["experiment", "proxies", "train_set"], sort=False, as_index=False)[["predicted", "loss"]]
        .mean()
    )
    levels = means.groupby(["experiment", "proxies"])[["predicted", "loss"]].transform("mean")
    above = means[["predicted", "loss"]] - levels
    return means.assign(
        fitted_to=[f"{count} proxies" for count in means["proxies"]],
        predicted_above=above["predicted"],
        loss_above=above["loss"],
    )


def _panel(rows: pd.DataFrame, skill: pd.DataFrame, legend: Legend) -> Panel:
    experiment = str(rows["experiment"].iloc[0])
    # One scale for both axes: on the diagonal, mixtures differ as much in prediction as in loss.
    ends = [
        rows[["predicted_above", "loss_above"]].min().min(),
        rows[["predicted_above", "loss_above"]].max().max(),
    ]
    scale = alt.Scale(domain=ends, nice=False, padding=8)
    axis = alt.Axis(
        format="+~g", labelExpr="datum.value ? datum.label : '0'", grid=False, tickCount=5, labelOverlap=True
    )
    own = chart().transform_filter(f"datum.experiment === '{experiment}'")
    diagonal = (
        own.transform_aggregate(points="count()")
        .mark_rule(color=QUIET, strokeDash=[3, 3], strokeWidth=1.5)
        .encode(x=alt.datum(ends[0]), y=alt.datum(ends[0]), x2=alt.datum(ends[1]), y2=alt.datum(ends[1]))
    )
    marks = own.mark_point(size=18).encode(
        x=alt.X("predicted_above:Q", title="predicted loss above its mean, nats", scale=scale, axis=axis),
        y=alt.Y("loss_above:Q", title="real loss above its mean, nats", scale=scale, axis=axis),
        color=alt.Color("fitted_to:N", title=legend.title, scale=legend.scale("colour"), sort=None),
        shape=alt.Shape("fitted_to:N", title=legend.title, scale=legend.scale("shape"), sort=None),
        opacity=unless_isolated("fitted_to", shown=0.7),
        tooltip=[
            alt.Tooltip("train_set:N", title="trained on"),
            alt.Tooltip("fitted_to:N", title="law fitted to"),
            alt.Tooltip("predicted:Q", title="predicted", format=".3f"),
            alt.Tooltip("loss:Q", title="real", format=".3f"),
        ],
    )
    shown = skill[skill["proxies"].isin(rows["proxies"])]
    values = ", ".join(f"{number(row['spearman'])} ({row['proxies']} proxies)" for _, row in shown.iterrows())
    title = sentence(plain(experiment))
    return Panel(
        title=title,
        subtitle=f"rank correlation {values}; {_level(rows)}",
        description=f"Scatter plot of real against predicted mean loss. {title}; rank correlation {values}.",
        chart=layered(diagonal, marks),
        height=250,
    )


def _level(rows: pd.DataFrame) -> str:
    """How far real losses are from those predicted by the law with the most proxies."""
    most = rows[rows["proxies"] == rows["proxies"].max()]
    off = most["loss"].mean() - most["predicted"].mean()
    return f"real level {number(abs(off))} nats {'below' if off < 0 else 'above'} the predicted one"


def _summary(data: pd.DataFrame, skill: pd.DataFrame, measure: str) -> str:
    sentences = [
        f"A point is a mixture: its mean loss over the targets, predicted by the law with the prior from {measure}, "
        "and measured. Both are shown minus their mean over the mixtures, because a law of small models does not "
        "know the level of large ones. On the dashed diagonal the predicted differences between mixtures are right; "
        "where points are flatter, mixtures differ less than predicted. Rank correlations, with 95% intervals:"
    ]
    for experiment in experiment_names(data):
        proxies = data.loc[data["experiment"] == experiment, "proxies"]
        rows = skill[(skill["experiment"] == experiment) & skill["proxies"].isin(proxies)]
        values = ", ".join(
            f"{number(row['spearman'])} ({interval(row['ci_low'], row['ci_high'])}) from {row['proxies']} proxies"
            for _, row in rows.iterrows()
        )
        sentences.append(f"{sentence(plain(experiment))}: {values}.")
    if (skill["draws"] > 1).any():
        sentences.append(
            "Correlations are means over draws of the proxies; the points are of the first draw."
        )
    return " ".join(sentences)

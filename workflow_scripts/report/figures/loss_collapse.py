"""Loss against effective tokens in our own runs: one curve per target, whatever the training set and budget."""

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, Panel, Tables, chart, layered, unless_isolated
from workflow_scripts.report.headline import main_part
from workflow_scripts.report.look import category_entries
from workflow_scripts.report.wording import number, plain, plural

MOST_PANELS = 12
COLUMNS = ["eval_set", "train_set", "tokens", "effective_tokens", "loss", "predicted"]


def loss_collapse(tables: Tables) -> list[Figure]:
    """One figure per experiment, by the measure whose law best predicts a left-out training set."""
    fits, curves = tables["loss_collapse"], tables["loss_collapse_curves"]
    figures = []
    for experiment in fits["experiment"].unique():
        part = main_part(fits, experiment)
        own = fits[(fits["experiment"] == experiment) & (fits["part"] == part)]
        metric = str(own.groupby("metric")["error_left_out"].mean().idxmin())
        fit = own[own["metric"] == metric].set_index("eval_set")
        data = curves[
            (curves["experiment"] == experiment) & (curves["part"] == part) & (curves["metric"] == metric)
        ]
        targets = list(fit.index[:MOST_PANELS])
        data = data[data["eval_set"].isin(targets)]
        legend = Legend(
            "train_set", "Training set", tuple(category_entries(list(dict.fromkeys(data["train_set"]))))
        )
        figures.append(
            Figure(
                name=f"loss_collapse_{experiment}",
                title=f"Does every run fall on one curve? {plain(experiment)}",
                summary=_summary(fit, plain(metric)),
                data=data[COLUMNS].reset_index(drop=True),
                panels=tuple(_panel(target, fit.loc[target], legend) for target in targets),
                legends=(legend,),
            )
        )
    return figures


def _panel(target: str, fit: "pd.Series[float]", legend: Legend) -> Panel:
    base = chart().transform_filter(f"datum.eval_set === '{target}'")
    x = alt.X(
        "effective_tokens:Q",
        title="effective tokens, by the fitted law",
        scale=alt.Scale(type="log", nice=False, padding=8),
        axis=alt.Axis(format="~s", grid=False, ticks=False, tickCount=4, labelOverlap=True),
    )
    y = alt.Y("loss:Q", title="loss, nats per token", scale=alt.Scale(zero=False, nice=False, padding=8))
    line = base.mark_line(opacity=0.5, strokeWidth=1).encode(x=x, y=alt.Y("predicted:Q"))
    marks = base.mark_point(size=28).encode(
        x=x,
        y=y,
        color=alt.Color("train_set:N", title=legend.title, scale=legend.scale("colour"), sort=None),
        shape=alt.Shape("train_set:N", title=legend.title, scale=legend.scale("shape"), sort=None),
        opacity=unless_isolated("train_set"),
        tooltip=[
            alt.Tooltip("train_set:N", title="trained on"),
            alt.Tooltip("tokens:Q", format="~s"),
            alt.Tooltip("effective_tokens:Q", title="effective tokens", format=".3s"),
            alt.Tooltip("loss:Q", format=".3f"),
        ],
    )
    return Panel(
        title=plain(target),
        subtitle=f"R² {number(fit['r2'])}; left out {number(fit['r2_left_out'])}",
        description=f"Loss on {plain(target)} against effective tokens, with the fitted law as a line.",
        chart=layered(line, marks),
        height=200,
    )


def _summary(fit: pd.DataFrame, metric: str) -> str:
    runs, train_sets = (
        plural(int(fit["n_runs"].max()), "run"),
        plural(int(fit["n_train"].max()), "training set"),
    )
    return (
        f"{runs} of {train_sets}; tokens are weighted by the worths of the fitted law. "
        f"Median R² over {plural(len(fit), 'target')}: {number(fit['r2'].median())}. "
        f"Fitted to all training sets except one, with {metric} for the left-out one, the law misses its loss by "
        f"{number(fit['error_left_out'].mean())} nats on average (median R² {number(fit['r2_left_out'].median())})."
    )

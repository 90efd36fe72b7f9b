"""Loss against the share of the target in the training data and the amount of training data."""

import math

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, Panel, Tables, chart, unless_isolated
from workflow_scripts.report.look import ACCENT, INK, ordered_entries
from workflow_scripts.report.wording import count, number, plain, plural

KEY = ["experiment", "part", "eval_set"]


def intervention_surface(tables: Tables) -> list[Figure]:
    """One figure per grid: experiment, part and evaluation set."""
    losses = tables["loss_summary"]
    grid = losses[losses["fraction"].notna()]
    several = grid[KEY].drop_duplicates().shape[0] > 1
    figures = []
    for (experiment, part, eval_set), frame in grid.groupby(KEY, sort=False):
        data = (
            frame.groupby(["fraction", "tokens", "train_set"], sort=True)["loss"]
            .agg(loss="mean", lowest="min", highest="max", n_seeds="count")
            .reset_index()
        )
        data["share"] = [f"{fraction:.0%}" for fraction in data["fraction"]]
        data["budget"] = [f"{tokens:,}" for tokens in data["tokens"]]
        name = f"{experiment}_{part}_{eval_set}" if several else str(experiment)
        figures.append(_figure(name, str(eval_set), data))
    return figures


def _figure(name: str, eval_set: str, data: pd.DataFrame) -> Figure:
    shares = list(data.sort_values("fraction")["share"].unique())
    legend = Legend("share", "Share of the target", ordered_entries(shares))
    return Figure(
        name=f"intervention_surface_{name}",
        title=f"Alignment or size: loss on {plain(eval_set)}",
        summary=_summary(data),
        data=data,
        panels=(
            _lines(legend, sorted(data["tokens"].unique().tolist()), eval_set),
            _heat(data, shares, eval_set),
        ),
        legends=(legend,),
        columns=2,
    )


def _lines(legend: Legend, budgets: list[int], eval_set: str) -> Panel:
    x = alt.X(
        "tokens:Q",
        title="training tokens",
        scale=alt.Scale(type="log", nice=False, padding=12),
        axis=alt.Axis(format=",", grid=False, values=budgets),
    )
    y = alt.Y("loss:Q", title="loss, nats per token", scale=alt.Scale(zero=False))
    colour = alt.Color("share:N", title=legend.title, scale=legend.scale("colour"), sort=None)
    base = chart().encode(x=x, color=colour)
    ranges = base.mark_rule(strokeWidth=1).encode(
        y=alt.Y("lowest:Q"), y2="highest:Q", opacity=unless_isolated("share", shown=0.6)
    )
    lines = base.mark_line().encode(y=y, opacity=unless_isolated("share"))
    marks = base.mark_point().encode(
        y=y,
        opacity=unless_isolated("share"),
        tooltip=[
            alt.Tooltip("train_set:N", title="trained on"),
            alt.Tooltip("share:N", title="share of the target"),
            alt.Tooltip("budget:N", title="tokens"),
            alt.Tooltip("loss:Q", format=".3f"),
            alt.Tooltip("n_seeds:Q", title="seeds"),
        ],
    )
    return Panel(
        title="Loss by amount of data",
        subtitle="bars: lowest and highest seed",
        description=f"Lines of loss on {plain(eval_set)} against training tokens, one per share of the target.",
        chart=alt.layer(ranges, lines, marks),
        height=280,
    )


def _heat(data: pd.DataFrame, shares: list[str], eval_set: str) -> Panel:
    budgets = list(data.sort_values("tokens")["budget"].unique())
    low, high = data["loss"].min(), data["loss"].max()
    base = chart().encode(
        x=alt.X("budget:O", sort=budgets, title="training tokens", axis=alt.Axis(labelAngle=0, grid=False)),
        y=alt.Y("share:O", sort=shares[::-1], title="share of the target", axis=alt.Axis(grid=False)),
    )
    cells = base.mark_rect(color=ACCENT).encode(
        opacity=alt.Opacity(
            "loss:Q", scale=alt.Scale(domain=[low, high], range=[0.5, 0.03], zero=False), legend=None
        ),
        tooltip=[
            alt.Tooltip("train_set:N", title="trained on"),
            alt.Tooltip("budget:N", title="tokens"),
            alt.Tooltip("loss:Q", format=".3f"),
        ],
    )
    text = base.mark_text(color=INK, fontSize=12).encode(text=alt.Text("loss:Q", format=".2f"))
    return Panel(
        title="The same as a surface",
        subtitle="loss in nats per token; stronger colours are lower",
        description=f"Heat map of loss on {plain(eval_set)} by training tokens and share of the target.",
        chart=alt.layer(cells, text),
        height=280,
    )


def _summary(data: pd.DataFrame) -> str:
    largest, smallest = data["tokens"].max(), data["tokens"].min()
    purest, least = data["fraction"].max(), data["fraction"].min()

    def loss(fraction: float, tokens: int) -> float:
        cell = data.loc[(data["fraction"] == fraction) & (data["tokens"] == tokens), "loss"]
        return float(cell.mean())

    pure, poor = loss(purest, smallest), loss(least, largest)
    seeds = int(data["n_seeds"].max())
    if math.isnan(pure) or math.isnan(poor):
        return "A loss at a corner of the grid is missing, so its corners cannot be compared."
    one_seed = " With one seed each, the variation of training itself is unknown." if seeds == 1 else ""
    return (
        f"{count(smallest)} tokens with {purest:.0%} of the target reach a loss of {number(pure)}; "
        f"{count(largest)} tokens with {least:.0%} reach {number(poor)}, which is "
        f"{'lower' if poor < pure else 'higher'} by {number(abs(poor - pure))} nats "
        f"({plural(seeds, 'seed')} each).{one_seed}"
    )

"""Loss against effective tokens: does one number that combines alignment and size determine the loss?"""

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import Figure, Legend, Panel, Tables, chart, unless_isolated
from workflow_scripts.report.look import category_entries
from workflow_scripts.report.token_tables import TEXT, best_measure, experiment_names
from workflow_scripts.report.wording import count, number, plain, plural
from workflow_scripts.statistics.mixture_ranking import ALL, MEAN

COLUMNS = ["experiment", "eval_set", "train_set", "effective_tokens", "own_share", "loss"]
# Per experiment and target; with thirteen targets and four sizes, more points would make the page slow.
MOST_POINTS = 48


def effective_tokens_and_loss(tables: Tables) -> list[Figure]:
    """One figure by the best measure: a panel per target, a colour per experiment."""
    measure = best_measure(tables)
    points = tables["effective_token_points"]
    points = points[(points["metric"] == measure.metric) & (points["effective_tokens"] > 0)]
    if points.empty:
        return []
    experiments = experiment_names(points)
    data = pd.concat(
        [evenly_chosen(rows) for _, rows in points.groupby(["eval_set", "experiment"], sort=False)]
    )
    legend = Legend("experiment", "Experiment", category_entries(experiments))
    ranking = tables["effective_tokens"]
    skill = measure.of(ranking[ranking["scope"] == "all"], TEXT)
    return [
        Figure(
            name="effective_tokens_and_loss",
            title="Loss against effective tokens",
            summary=_summary(points, data, skill, measure.name),
            data=data[COLUMNS].reset_index(drop=True),
            panels=tuple(
                _panel(str(target), rows, skill[skill["eval_set"] == target], legend)
                for target, rows in data.groupby("eval_set", sort=False)
            ),
            legends=(legend,),
        )
    ]


def evenly_chosen(points: pd.DataFrame) -> pd.DataFrame:
    """At most MOST_POINTS runs, evenly spaced from the fewest effective tokens to the most, including both ends."""
    ordered = points.sort_values("effective_tokens", kind="stable")
    if len(ordered) <= MOST_POINTS:
        return ordered
    return ordered.iloc[[place * (len(ordered) - 1) // (MOST_POINTS - 1) for place in range(MOST_POINTS)]]


def _panel(target: str, rows: pd.DataFrame, skill: pd.DataFrame, legend: Legend) -> Panel:
    # If tokens are unknown, a run counts as one token, and effective tokens are a share of it.
    are_shares = rows["effective_tokens"].max() <= 1
    marks = (
        chart()
        .transform_filter(f"datum.eval_set === '{target}'")
        .mark_point(size=24)
        .encode(
            x=alt.X(
                "effective_tokens:Q",
                title="effective share of the tokens" if are_shares else "effective tokens",
                scale=alt.Scale(type="log", nice=False, padding=8),
                axis=alt.Axis(
                    # The page writes billions as B everywhere.
                    labelExpr="replace(datum.label, 'G', 'B')",
                    format="~g" if are_shares else "~s",
                    grid=False,
                    ticks=False,
                    tickCount=4,
                    labelOverlap=True,
                ),
            ),
            y=alt.Y(
                "loss:Q", title="loss, nats per token", scale=alt.Scale(zero=False, nice=False, padding=8)
            ),
            color=alt.Color("experiment:N", title=legend.title, scale=legend.scale("colour"), sort=None),
            shape=alt.Shape("experiment:N", title=legend.title, scale=legend.scale("shape"), sort=None),
            opacity=unless_isolated("experiment", shown=0.75),
            tooltip=[
                alt.Tooltip("experiment:N"),
                alt.Tooltip("train_set:N", title="trained on"),
                alt.Tooltip("effective_tokens:Q", title="effective tokens", format=".3s"),
                alt.Tooltip("own_share:Q", title="own share", format=".1%"),
                alt.Tooltip("loss:Q", format=".3f"),
            ],
        )
    )
    values = ", ".join(number(value) for value in skill["spearman"])
    return Panel(
        title=plain(target),
        subtitle=f"rank correlation {values}",
        description=f"Scatter plot of loss on {plain(target)} against effective tokens; rank correlations {values}.",
        chart=marks,
        height=200,
    )


def _summary(points: pd.DataFrame, shown: pd.DataFrame, skill: pd.DataFrame, measure: str) -> str:
    experiments = experiment_names(points)
    targets = skill[~skill["eval_set"].isin((MEAN, ALL))]
    summary = (
        f"{plural(points['train_set'].nunique(), 'mixture')} in {plural(len(experiments), 'experiment')}; tokens are "
        f"weighted by {measure}. Rank correlations with lower loss are in the order of the legend."
    )
    if len(targets):
        least = targets.loc[targets.groupby("experiment", sort=False)["spearman"].idxmin()]
        values = ", ".join(
            f"{number(row['spearman'])} in {plain(row['experiment'])} ({plain(row['eval_set'])})"
            for _, row in least.iterrows()
        )
        summary += f" The lowest over targets are {values}."
    if len(shown) < len(points):
        summary += (
            f" The figure shows at most {MOST_POINTS} runs per experiment and target, evenly spaced from the fewest "
            f"effective tokens to the most ({count(len(shown))} of {count(len(points))} points)."
        )
    return summary

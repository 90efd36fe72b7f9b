"""An axis for correlations near 1: shows 1 minus r on a log scale, which separates .95 from .97."""

from collections.abc import Iterable

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import AnyChart
from workflow_scripts.report.look import QUIET
from workflow_scripts.report.wording import number

TITLE = "rank correlation with lower loss (log)"
COLUMNS = ("spearman", "ci_low", "ci_high")
TICKS = (-0.5, 0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
# A correlation of 1 would be infinitely far away, so anything closer to 1 is drawn at this distance.
NEAREST = 0.005


def lacking(base: AnyChart, columns: Iterable[str] = COLUMNS) -> AnyChart:
    """The chart with a field `<column>_lacks` for each column: 1 minus its value."""
    return base.transform_calculate(
        **{f"{column}_lacks": f"max(1 - datum.{column}, {NEAREST})" for column in columns}
    )


def scale(rows: pd.DataFrame) -> alt.Scale:
    """From the smallest to the largest correlation in the rows, with the largest at the right or on top."""
    least, greatest = rows[list(COLUMNS)].min().min(), rows[list(COLUMNS)].max().max()
    domain = [max(1 - greatest, NEAREST), 1 - least]
    return alt.Scale(type="log", domain=domain, reverse=True, nice=False, padding=6)


def x(column: str, shared: alt.Scale) -> alt.X:
    return alt.X(f"{column}_lacks:Q", title=TITLE, scale=shared, axis=axis())


def y(column: str, shared: alt.Scale) -> alt.Y:
    return alt.Y(f"{column}_lacks:Q", title=TITLE, scale=shared, axis=axis())


def tooltips() -> list[alt.Tooltip]:
    """The correlation and its interval, for the tooltip of a mark."""
    return [
        alt.Tooltip("spearman:Q", title="rank correlation", format=".3f"),
        alt.Tooltip("ci_low:Q", title="interval from", format=".3f"),
        alt.Tooltip("ci_high:Q", title="to", format=".3f"),
    ]


def baseline(base: AnyChart, name: str, **place: alt.X | alt.Y) -> AnyChart:
    """A dashed line at the correlation of the single row of `base`, whose field `name` labels it."""
    line = base.mark_rule(color=QUIET, strokeDash=[3, 3], strokeWidth=1.5)
    return line.encode(**place, tooltip=[alt.Tooltip(f"{name}:N", title="baseline"), *tooltips()])


def own_share_line(correlations: pd.Series) -> str:
    """Describes the dashed line, the correlation of the own share, if there is one."""
    if len(correlations):
        return f"dashed: own share, {number(correlations.iloc[0], 3)}"
    return "no target has its own part"


def axis() -> alt.Axis:
    values = [1 - tick for tick in TICKS]
    # Vega omits values beyond the count of ticks.
    return alt.Axis(
        values=values,
        tickCount=len(values),
        labelExpr="format(1 - datum.value, '.2~f')",
        labelOverlap="greedy",
    )

"""An axis for correlations near 1: what they lack of 1, on a log scale, so that .95 and .97 stand apart."""

from collections.abc import Iterable

import altair as alt
import pandas as pd

from workflow_scripts.report.figure import AnyChart

COLUMNS = ("spearman", "ci_low", "ci_high")
TICKS = (-0.5, 0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
# A correlation of 1 would lie infinitely far away; whatever is nearer than this is drawn here.
NEAREST = 0.005


def lacking(base: AnyChart, columns: Iterable[str] = COLUMNS) -> AnyChart:
    """The chart with a field `<column>_lacks` for each column: 1 less its value."""
    return base.transform_calculate(
        **{f"{column}_lacks": f"max(1 - datum.{column}, {NEAREST})" for column in columns}
    )


def scale(rows: pd.DataFrame) -> alt.Scale:
    """From the least to the greatest correlation in the rows, the greatest at the right or on top."""
    least, greatest = rows[list(COLUMNS)].min().min(), rows[list(COLUMNS)].max().max()
    domain = [max(1 - greatest, NEAREST), 1 - least]
    return alt.Scale(type="log", domain=domain, reverse=True, nice=False, padding=6)


def axis() -> alt.Axis:
    values = [1 - tick for tick in TICKS]
    # Vega leaves out values beyond the count of ticks.
    return alt.Axis(
        values=values,
        tickCount=len(values),
        labelExpr="format(1 - datum.value, '.2~f')",
        labelOverlap="greedy",
    )

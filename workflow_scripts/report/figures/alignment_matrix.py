"""The alignment of every set with every set, ordered by clustering, one metric at a time.

With many sets, of every training set with every evaluation set; none if these are too many as well.
"""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import pdist

from workflow_scripts.metrics.pairs import MOST_SETS
from workflow_scripts.report.figure import Figure, Panel, Tables, chart
from workflow_scripts.report.headline import paper_metric
from workflow_scripts.report.look import ACCENT
from workflow_scripts.report.wording import number, plain
from workflow_scripts.tokens.parts import of_whole

COLUMNS = ["metric", "source", "target", "alignment", "ci_low", "ci_high", "calibrated"]


def alignment_matrix(tables: Tables) -> list[Figure]:
    """One figure, of whole rows; the measure of the paper comes first."""
    alignment = of_whole(tables["alignment"])
    names = sorted(alignment["metric"].unique())
    first = paper_metric(names)
    metrics = [first, *(name for name in names if name != first)]
    frames = {name: alignment[alignment["metric"] == name] for name in metrics}
    summary = _summary(first, frames[first])
    if len({*alignment["source"], *alignment["target"]}) > MOST_SETS:
        frames = {name: _of_both_sides(frame) for name, frame in frames.items()}
        summary = f"{summary} Rows are training sets, columns evaluation sets."
    shown = pd.concat(frames.values())
    if max(shown["source"].nunique(), shown["target"].nunique()) > MOST_SETS:
        return []
    orders = {name: _orders(frame) for name, frame in frames.items()}
    data = pd.concat([_sorted(frames[name], *orders[name]) for name in metrics], ignore_index=True)
    return [
        Figure(
            name="alignment_matrix",
            title="Which sets are alike",
            summary=summary,
            data=data[COLUMNS],
            panels=tuple(_panel(name, frames[name], *orders[name]) for name in metrics),
            one_at_a_time="Measure",
            columns=2,
        )
    ]


def _of_both_sides(frame: pd.DataFrame) -> pd.DataFrame:
    """Alignments of training sets with evaluation sets."""
    return frame[frame["source"].str.endswith(".train") & frame["target"].str.endswith(".eval")]


def _orders(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The orders of sources and of targets; one order if they are the same sets."""
    sources = clustered(frame)
    if set(sources) == set(frame["target"]):
        return sources, sources
    return sources, clustered(frame.rename(columns={"source": "target", "target": "source"}))


def clustered(frame: pd.DataFrame) -> list[str]:
    """Sets in the order of an average-linkage clustering of their alignments to all sets."""
    wide = frame.pivot(index="source", columns="target", values="alignment")
    wide = wide.reindex(index=sorted(wide.index), columns=sorted(wide.columns))
    if len(wide) < 3:
        return list(wide.index)
    values = wide.to_numpy(dtype=float)
    values = np.where(np.isfinite(values), values, np.nanmean(values))
    return [
        wide.index[place] for place in leaves_list(linkage(pdist(values), "average", optimal_ordering=True))
    ]


def _sorted(frame: pd.DataFrame, sources: list[str], targets: list[str]) -> pd.DataFrame:
    places = {
        side: {name: place for place, name in enumerate(order)}
        for side, order in (("source", sources), ("target", targets))
    }
    return frame.sort_values(
        list(places), key=lambda names: names.map(places[str(names.name)]), kind="stable"
    )


def _panel(metric: str, frame: pd.DataFrame, sources: list[str], targets: list[str]) -> Panel:
    # Colours cover the middle nine tenths of the values, so one unusual set does not use up all colours.
    low, high = frame["alignment"].quantile([0.05, 0.95])
    axis: dict[str, Any] = {
        "labelFontSize": 10,
        "labelOverlap": False,
        "ticks": False,
        "domain": False,
        "grid": False,
    }
    heat = (
        chart()
        .transform_filter(f"datum.metric === '{metric}'")
        .mark_rect(color=ACCENT, stroke=None)
        .encode(
            x=alt.X("target:N", sort=targets, title="target", axis=alt.Axis(labelAngle=-60, **axis)),
            y=alt.Y("source:N", sort=sources, title="source", axis=alt.Axis(**axis)),
            opacity=alt.Opacity(
                "alignment:Q",
                scale=alt.Scale(domain=[low, high], range=[0.03, 1.0], zero=False, clamp=True),
                legend=None,
            ),
            tooltip=[
                "source:N",
                "target:N",
                alt.Tooltip("alignment:Q", format=".3f"),
                alt.Tooltip("ci_low:Q", title="interval from", format=".3f"),
                alt.Tooltip("ci_high:Q", title="to", format=".3f"),
                alt.Tooltip("calibrated:Q", format=".3f"),
            ],
        )
    )
    sets = f"{len(sources)} sets" if sources == targets else f"{len(sources)} sets with {len(targets)} others"
    ends = f"from {number(low)} or less (faintest) to {number(high)} or more (strongest)"
    return Panel(
        title=plain(metric),
        subtitle=f"alignment {ends}",
        description=f"Heat map of the alignment of {sets} by {plain(metric)}, {ends}.",
        chart=heat,
        height=max(220, 19 * len(sources) + 130),
        wide=True,
    )


def _summary(metric: str, frame: pd.DataFrame) -> str:
    others = frame[frame["source"] != frame["target"]].dropna(subset=["alignment"])
    if others.empty:
        return f"By {plain(metric)} no two different sets were compared."
    most, least = others.loc[others["alignment"].idxmax()], others.loc[others["alignment"].idxmin()]
    own = frame.loc[frame["source"] == frame["target"], "alignment"]
    itself = f" A set with itself has {number(own.mean())} on average, not 1." if own.notna().any() else ""
    return (
        f"By {plain(metric)} the two most alike sets are {most['source']} and {most['target']} "
        f"({number(most['alignment'])}), the least alike {least['source']} and {least['target']} "
        f"({number(least['alignment'])}).{itself} Rows and columns are ordered by a clustering."
    )

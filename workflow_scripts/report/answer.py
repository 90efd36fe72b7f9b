"""The answer in three sentences, each made from the tables; and what must be borne in mind with it."""

from workflow_scripts.report.figure import Tables
from workflow_scripts.report.headline import (
    SCOPE_NAMES,
    correlation_rows,
    informative_scope,
    main_part,
    paper_metric,
)
from workflow_scripts.report.wording import number, plain, verdict


def answer(tables: Tables) -> list[str]:
    """Does alignment predict loss; is it alignment or size; which data to choose."""
    return [_prediction(tables)]


def _prediction(tables: Tables) -> str:
    """The measure of the paper in the first experiment, and the measure that does best there."""
    if "correlation" not in tables or "points" not in tables or tables["points"].empty:
        return "Whether alignment predicts loss cannot be said: there are no correlations in this run."
    correlation, points = tables["correlation"], tables["points"]
    experiment = headline_experiment(tables)
    part = main_part(points, experiment)
    scope = informative_scope(correlation, experiment, part)
    rows = correlation_rows(correlation, experiment, part, scope)
    metric = paper_metric(list(rows.index))
    where = SCOPE_NAMES[scope] if scope != "pooled" else "over all pairs"
    text = f"In {plain(experiment)}, for {plain(metric)} {where}, {verdict(rows.loc[metric])}"
    best = rows["value"].idxmin() if rows["value"].notna().any() else metric
    if best != metric:
        r = number(rows.loc[best, "value"])
        text += f"; of the {len(rows)} measures {plain(best)} is the closest to loss (r = {r})"
    return text + "."


def headline_experiment(tables: Tables) -> str:
    """The first pre-training experiment, or the first of any kind."""
    points = tables["points"]
    pretraining = points.loc[points["kind"] == "pretraining", "experiment"]
    return str((pretraining if len(pretraining) else points["experiment"]).iloc[0])


def caveats(tables: Tables) -> list[str]:
    """What limits the answer and can be read off the tables."""
    found = []
    points = tables.get("points")
    if points is not None and len(points) and points["n_seeds"].max() == 1:
        found.append(
            "Every model was trained with one seed, so intervals do not cover how much training varies."
        )
    return found

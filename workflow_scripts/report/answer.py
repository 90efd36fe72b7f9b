"""The answer in three sentences and its caveats, all made from the tables."""

import math
from typing import Any

import pandas as pd

from workflow_scripts.report.figure import Tables
from workflow_scripts.report.headline import (
    SCOPE_NAMES,
    best_chooser,
    choice_means,
    correlation_rows,
    informative_scope,
    largest_budget,
    main_part,
    measures,
    paper_metric,
    with_probe_range,
)
from workflow_scripts.report.ngram_sentences import own_parts_sentence
from workflow_scripts.report.ranking_answer import ranking_sentences
from workflow_scripts.report.wording import (
    cost,
    count,
    exchange,
    interval,
    number,
    over_probes,
    plain,
    plural,
    short_run,
    verdict,
)
from workflow_scripts.statistics.choice import BLIND
from workflow_scripts.statistics.intervals import FEWEST_FAMILIES
from workflow_scripts.statistics.ngram_gaps import ngram_gaps
from workflow_scripts.statistics.views import first_by_view, views_of

RECORDED = "recorded"


def answer(tables: Tables) -> list[str]:
    """Sentences on four questions: ranking recorded mixtures, predicting loss, alignment or size, choosing data."""
    size = [] if _recorded_alone(tables) else [_size(tables)]
    return [*ranking_sentences(tables), _prediction(tables), *size, _choice(tables)]


def headline_experiment(points: pd.DataFrame) -> str:
    """The first pre-training experiment, or the first whose models were trained here, or the first of any kind."""
    for wanted in (points["kind"] == "pretraining", points["kind"] != RECORDED):
        if wanted.any():
            return str(points.loc[wanted, "experiment"].iloc[0])
    return str(points["experiment"].iloc[0])


def _recorded_alone(tables: Tables) -> bool:
    """Whether nothing was trained here; there is then no grid of shares and budgets."""
    return _there(tables, "points") and bool((tables["points"]["kind"] == RECORDED).all())


def _prediction(tables: Tables) -> str:
    """The measure of the paper in the headline experiment, and the best measure there."""
    if not _there(tables, "correlation", "points"):
        return "Whether alignment predicts loss is unknown: this run has no correlations."
    correlation, points = tables["correlation"], tables["points"]
    experiment = headline_experiment(points)
    part = main_part(points, experiment)
    scope = informative_scope(correlation, experiment, part)
    rows = correlation_rows(correlation, experiment, part, scope)
    metric = paper_metric(list(rows.index))
    text = f"In {plain(experiment)}, for {plain(metric)} {_where(scope)}, {verdict(rows.loc[metric])}"
    rows = with_probe_range(rows.reset_index(drop=True), tables).set_index("metric", drop=False)
    text += over_probes(rows.loc[metric])
    best = rows["value"].idxmin() if rows["value"].notna().any() else metric
    if best == metric or not rows.loc[best, "value"] < 0:
        return f"{text}."
    r = f"r = {number(rows.loc[best, 'value'])}{over_probes(rows.loc[best])}"
    paired = _paired(tables, rows.loc[metric], best)
    chosen = largest_budget(correlation)
    panel = chosen[(chosen["experiment"] == experiment) & (chosen["part"] == part)]
    first = first_by_view(views_of(panel, scope))
    others = [f"{plain(name)} ({view})" for view, name in first.items() if name != best]
    views = f", which is fragile: in other views it is {', '.join(others)}" if others else ""
    return (
        f"{text}; of the {len(rows)} measures, {plain(best)} correlates best with loss ({r}{paired}){views}."
    )


def _paired(tables: Tables, row: "pd.Series[Any]", best: str) -> str:
    """Whether the interval of the paired difference of two measures excludes zero."""
    if not _there(tables, "metric_differences"):
        return ""
    differences = tables["metric_differences"]
    same = differences[
        differences[["metric", "other"]].isin([row["metric"], best]).all(axis=1)
        & (differences["experiment"] == row["experiment"])
        & (differences["part"] == row["part"])
        & (differences["tokens"] == row["tokens"])
        & (differences["scope"] == row["scope"])
    ]
    if same.empty or not math.isfinite(same["ci_low"].iloc[0]):
        return ""
    low, high = same["ci_low"].iloc[0], same["ci_high"].iloc[0]
    if low > 0 or high < 0:
        return ", a clear difference: its interval excludes zero"
    return ", no clear difference: its interval includes zero"


def _size(tables: Tables) -> str:
    """The cost of dilution in tokens, for the middle and the smallest share of the target, at two levels."""
    rates = (
        tables["exchange_rate"]
        if _there(tables, "exchange_rate")
        else pd.DataFrame(columns=["k", "fraction"])
    )
    diluted = rates[rates["k"].notna() & (rates["fraction"] < 1)]
    if diluted.empty:
        return (
            "Whether alignment or size matters more is unknown: this run has no grid of shares and budgets."
        )
    first = diluted.iloc[0]
    diluted = diluted[(diluted["experiment"] == first["experiment"]) & (diluted["part"] == first["part"])]
    levels = sorted(diluted["level_tokens"].unique())
    last = diluted[diluted["level_tokens"] == levels[-1]]
    diluted = diluted[diluted["level_tokens"] == levels[0]]
    middle = diluted.loc[(diluted["fraction"] - 0.5).abs().idxmin()]
    least = diluted.loc[diluted["fraction"].idxmin()]
    text = (
        f"To reach the loss that {count(levels[0])} tokens of pure {plain(first['eval_set'])} give, "
        f"training data with {_share(middle['fraction'])} of it need {exchange(middle)}"
    )
    if least["fraction"] < middle["fraction"]:
        text += f", and data with {_share(least['fraction'])} of it {exchange(least)}"
    if len(levels) == 1:
        return f"{text}."
    later = last.loc[last["fraction"].idxmin()]
    text += f"; for the loss of {count(levels[-1])} tokens, data with {_share(later['fraction'])} of it need "
    return f"{text}{exchange(later)}."


def _choice(tables: Tables) -> str:
    """The measure with the least regret, its regret and cost, and those of a blind draw and of training all."""
    means = choice_means(tables["choice"]) if _there(tables, "choice", "points") else pd.DataFrame()
    if means.empty:
        return "Which data to choose is unknown: this run has no choices to compare."
    points = tables["points"]
    experiment = headline_experiment(points)
    rows = means[(means["experiment"] == experiment) & (means["part"] == main_part(points, experiment))]
    rows = with_probe_range(rows.assign(scope="all", statistic="regret"), tables)
    measured = measures(rows)
    if measured.empty:
        return f"Which data to choose is unknown: no measure could choose in {plain(experiment)}."
    (best, equals), blind = best_chooser(measured), rows[rows["metric"] == BLIND]
    which = "the cheapest" if math.isfinite(best["cost_seconds"]) else "one"
    rank = "the measure that chose best" if equals == 1 else f"{which} of the {equals} that chose best"
    n_eval = int(best["n_eval"])
    right = round(best["top1"] * n_eval)
    spread = (
        f" (95% interval {interval(best['regret_low'], best['regret_high'], 3)})"
        if math.isfinite(best["regret_low"])
        else ""
    )
    drawn = f", where a blind draw loses {number(blind['regret'].iloc[0], 3)}" if len(blind) else ""
    choosing = f"In {plain(experiment)}, choosing" if _recorded_alone(tables) else "Choosing"
    return (
        f"{choosing} the most aligned training set by {plain(best['metric'])}, {rank}, picks "
        f"the best of {best['n_train']:.0f} in {right} of {plural(n_eval, 'evaluation set')} and loses "
        f"{number(best['regret'], 3)} nats on average{spread}{over_probes(best, 3)}{drawn}{cost(best)}"
        f"{short_run(rows)}."
    )


def caveats(tables: Tables) -> list[str]:
    """Caveats that the tables show."""
    found = []
    if _there(tables, "points") and tables["points"]["n_seeds"].max() == 1:
        found.append(
            "Every model was trained with one seed, so no interval includes the variation of training itself."
        )
    if _there(tables, "correlation", "points"):
        # A grid is not used for its correlation.
        grids = tables["points"].loc[tables["points"]["kind"] == "intervention", "experiment"]
        rows = tables["correlation"][~tables["correlation"]["experiment"].isin(grids)]
        sizes = rows.groupby("experiment", sort=False)[["n_train", "n_families"]].max()
        few = sizes[sizes["n_families"] < FEWEST_FAMILIES]
        if len(few):
            listed = ", ".join(
                f"{plain(str(name))} ({plural(row['n_train'], 'training set')}, {row['n_families']})"
                for name, row in few.iterrows()
            )
            found.append(
                f"Fewer than {FEWEST_FAMILIES} independent families of training sets, so no interval and no p: "
                f"{listed}. Sets made from each other count as one family."
            )
    if _there(tables, "ngram_summary", "loss_summary"):
        gaps = largest_budget(ngram_gaps(tables["loss_summary"], tables["ngram_summary"]))
        beaten = {}
        for experiment, rows in gaps[gaps["is_own"]].groupby("experiment", sort=False):
            own = rows[rows["part"] == main_part(rows, str(experiment))]
            if (own["better_by"] <= 0).any():
                beaten[str(experiment)] = own
        if beaten:
            found.append(
                "Where n-grams beat the models, measures of n-grams partly predict losses by construction. "
                + own_parts_sentence(beaten)
            )
    return found


def _there(tables: Tables, *names: str) -> bool:
    return all(name in tables and not tables[name].empty for name in names)


def _where(scope: str) -> str:
    return SCOPE_NAMES[scope] if scope != "pooled" else "over all pairs"


def _share(fraction: float) -> str:
    return "none" if fraction == 0 else f"{fraction:.0%}"

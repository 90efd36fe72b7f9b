"""Sentences about recorded experiments: how well text ranks mixtures, and the gain from proxies."""

from typing import Any, TypeAlias

import pandas as pd

from workflow_scripts.report.figure import Tables
from workflow_scripts.report.token_tables import (
    LAW,
    OWN_SHARE,
    TEXT,
    Measure,
    ahead_of_own_share,
    best_measure,
    chosen_on_itself,
    experiment_names,
    overall,
)
from workflow_scripts.report.wording import interval, number, plain
from workflow_scripts.statistics.mixture_ranking import ALL, MEAN

Row: TypeAlias = "pd.Series[Any]"
NEEDED = ("effective_tokens", "effective_token_differences", "token_worth")


def ranking_sentences(tables: Tables) -> list[str]:
    """Text only compared with the own share, and the law from few proxies.

    The sentence is about the last experiment, by custom the largest. Others on which tau was not chosen are added.
    """
    if any(name not in tables or tables[name].empty for name in NEEDED):
        return []
    measure = best_measure(tables)
    ranking = ahead_of_own_share(tables, overall(tables["effective_tokens"]))
    every = experiment_names(ranking)
    *others, last = [name for name in every if not chosen_on_itself(tables, name)] or every
    text, own = _of(ranking, measure, last, MEAN)
    sentence = (
        f"Text alone ranks the {text['n_runs']} mixtures of {plain(last)} by {measure.name} at {_with_ends(text)}"
        f"{_against(text, own)}"
    )
    if ALL in set(ranking.loc[ranking["experiment"] == last, "eval_set"]):
        at_once, own = _of(ranking, measure, last, ALL)
        sentence += f"; by their mean loss over all targets at {_with_ends(at_once)}{_against(at_once, own)}"
    if chosen_on_itself(tables, last):
        sentence += "; its only constant, tau, was chosen on these losses"
    elsewhere = [_elsewhere(*_of(ranking, measure, name, MEAN)) for name in reversed(others)]
    if elsewhere:
        sentence += f". It is {'; '.join(elsewhere)}"
    return [f"{sentence}.", *_from_proxies(ranking, measure, last)]


def _of(ranking: pd.DataFrame, measure: Measure, experiment: str, eval_set: str) -> "tuple[Row, Row | None]":
    """The row of the measure, and that of the target's own share if targets are parts."""
    rows = ranking[
        (ranking["experiment"] == experiment) & (ranking["proxies"] == 0) & (ranking["eval_set"] == eval_set)
    ]
    own = rows[rows["metric"] == OWN_SHARE]
    return measure.of(rows, TEXT).iloc[0], None if own.empty else own.iloc[0]


def _against(row: Row, own: "Row | None") -> str:
    """The trivial baseline, and whether the interval of the paired difference to it excludes zero."""
    if own is None:
        return ""
    return f", against {number(own['spearman'], 3)} for the target's own share: {_difference(row)}"


def _elsewhere(row: Row, own: "Row | None") -> str:
    text = f"{number(row['spearman'], 3)} in {plain(row['experiment'])}"
    return text if own is None else f"{text}, against {number(own['spearman'], 3)} ({_difference(row)})"


def _difference(row: Row) -> str:
    if row["ahead_low"] > 0:
        return "a clear difference"
    if row["ahead_high"] < 0:
        return "clearly behind it"
    return "no clear difference"


def _from_proxies(ranking: pd.DataFrame, measure: Measure, experiment: str) -> list[str]:
    """The law with the fewest proxies, compared with a flat prior and boosting from as many."""
    rows = ranking[
        (ranking["experiment"] == experiment) & (ranking["proxies"] > 0) & (ranking["eval_set"] == MEAN)
    ]
    # If there are no proxies, each run is predicted from those of other folds, which are nearly all runs.
    law = measure.of(rows, LAW)
    law = law[law["note"] == ""]
    if law.empty:
        return []
    fewest = law.loc[law["proxies"].idxmin()]
    others = rows[rows["proxies"] == fewest["proxies"]].set_index("metric")["spearman"]
    known = [
        f"{number(others[metric], 3)} {words}"
        for metric, words in (
            ("flat_prior", "without the text"),
            ("gradient_boosting", "by gradient boosting"),
        )
        if metric in others.index
    ]
    beside = f"; the same runs give {' and '.join(known)}" if known else ""
    return [
        f"With the losses of {fewest['proxies']} proxy runs the law ranks them at {_with_ends(fewest)}{beside}."
    ]


def _with_ends(row: Row) -> str:
    return f"{number(row['spearman'], 3)} ({interval(row['ci_low'], row['ci_high'], 3)})"

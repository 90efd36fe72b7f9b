"""Tables of docs/RESULTS.md about choosing training data and about predicting left-out losses."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from workflow_scripts.records.markdown import NOTHING, of_number, of_panel, with_interval
from workflow_scripts.statistics.choice import BASELINES, with_seconds
from workflow_scripts.statistics.equal_cost import TRAINING, league
from workflow_scripts.statistics.predictions import UNITS

Analysis = Callable[[str], pd.DataFrame]
CANDIDATES = {"all": "", "out_of_domain": ", out of domain", "with_controls": ", with controls"}
UNIT_NAMES = dict(zip(UNITS, ("training set", "family", "evaluation set"), strict=True))
LEAST_R2 = -1.0
"""A lower R² is shown as a bound, because values far below zero do not differ in meaning."""


def choices(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Choices by each measure, short runs and a blind draw, the least regret first; means over evaluation sets."""
    found = _with_seconds(table, options)
    means = found[found["eval_set"].isna()]
    groups = {name: means[means["candidates"] == name].set_index("metric") for name in CANDIDATES}
    everywhere = groups["all"].sort_values(["regret", "cost_seconds"], kind="stable")
    rows = []
    for metric, own in everywhere.iterrows():
        row = {"chosen by": _chooser(str(metric), own), "best set chosen": of_number(own["top1"])}
        for name, words in CANDIDATES.items():
            if metric in groups[name].index:
                one = groups[name].loc[metric]
                row[f"regret{words}, nats"] = with_interval(one, "regret", "regret_low", "regret_high", 3)
        for name, words in list(CANDIDATES.items())[:2]:
            if metric in groups[name].index:
                one = groups[name].loc[metric]
                row[f"Kendall's tau{words}"] = with_interval(
                    one, "kendall_tau", "kendall_tau_low", "kendall_tau_high"
                )
        rows.append({**row, "seconds": of_number(own["cost_seconds"], 1)})
    return pd.DataFrame(rows).fillna(NOTHING)


def equal_cost(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """The best measure within a number of seconds; r is within evaluation sets, or over all pairs of a single set."""
    candidates = options.get("candidates", "all")
    found = _with_seconds(table, options)
    found = found[found["candidates"] == candidates]
    correlation = of_panel(table("analysis/correlation"), options)
    several = correlation.loc[correlation["scope"] == "within_eval", "n_eval"].max() > 1
    scope = {
        ("all", True): "within_eval",
        ("all", False): "pooled",
        ("out_of_domain", True): "out_of_domain_within",
        ("out_of_domain", False): "out_of_domain_pooled",
    }[candidates, several]
    rows = correlation[(correlation["scope"] == scope) & (correlation["statistic"] == "pearson_r")]
    values = rows.set_index("metric")["value"].dropna()
    return pd.DataFrame(
        [
            {
                "seconds, at most": f"{row['seconds']:,.0f}",
                "least regret": "training every candidate" if row["best"] == TRAINING else row["best"],
                "its seconds": of_number(row["cost_seconds"], 1),
                "regret, nats": with_interval(row, "regret", "regret_low", "regret_high", 3),
                "picked on other evaluation sets": of_number(row["regret_elsewhere"], 3),
                "its r": of_number(row["r"]),
                "closest to loss": row["closest"] if isinstance(row["closest"], str) else NOTHING,
                "r": of_number(row["r_of_closest"]),
            }
            for _, row in league(found, values).iterrows()
        ]
    )


def predictions(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    """Predictions of left-out losses, the least error first: by one measure, or by two with `beside`."""
    beside = options.get("beside", "")
    frame = of_panel(table("analysis/predictions"), options)
    frame = frame[
        (frame["scope"] == options.get("scope", "within_eval"))
        & (frame["candidates"] == options.get("candidates", "all"))
        & (frame["beside"] == beside)
    ]
    units = [unit for unit in UNITS if unit in set(frame["left_out"])]
    order = frame[frame["left_out"] == units[-2 if len(units) > 2 else 0]].sort_values("error")["metric"]
    rows = []
    if not beside:
        baseline = {
            f"error, {UNIT_NAMES[unit]}": of_number(
                frame.loc[frame["left_out"] == unit, "baseline_error"].iloc[0], 3
            )
            for unit in units
        }
        rows.append({"predicted from": "no measure", **baseline})
    for metric in order:
        own = frame[frame["metric"] == metric].set_index("left_out")
        row: dict[str, Any] = {"predicted from": f"{metric}, {beside}" if beside else metric}
        for unit in units:
            row[f"R², {UNIT_NAMES[unit]}"] = _r2(own.loc[unit])
            row[f"error, {UNIT_NAMES[unit]}"] = with_interval(
                own.loc[unit], "error", "error_low", "error_high", 3
            )
        row["nats per sd"] = with_interval(own.iloc[0], "effect", "effect_low", "effect_high")
        if beside:
            row["of the other"] = with_interval(
                own.iloc[0], "effect_beside", "effect_beside_low", "effect_beside_high"
            )
        rows.append(row)
    # Columns in the order of the measures' rows, because the row without a measure has fewer.
    return pd.DataFrame(rows)[list(rows[-1])].fillna(NOTHING)


def _with_seconds(table: Analysis, options: Mapping[str, str]) -> pd.DataFrame:
    choice, cost = (of_panel(table(f"analysis/{name}"), options) for name in ("choice", "choice_cost"))
    return with_seconds(choice, cost)


def _chooser(metric: str, row: Mapping[str, Any]) -> str:
    """A measure by its name; a baseline in italics, with the budget of its runs."""
    if metric not in BASELINES:
        return metric
    return f"*{metric}*" if pd.isna(row["run_tokens"]) else f"*{metric}, {row['run_tokens']:,.0f} tokens*"


def _r2(row: Mapping[str, float]) -> str:
    if pd.isna(row["r2_low"]) or row["r2_low"] >= LEAST_R2:
        return with_interval(row, "r2", "r2_low", "r2_high")
    return f"{of_number(row['r2'])} (< {of_number(LEAST_R2, 0)} to {of_number(row['r2_high'])})"

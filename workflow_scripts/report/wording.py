"""Sentences that follow the numbers."""

import math
from typing import Any

import pandas as pd

from workflow_scripts.statistics.short_run import SHORT_RUN

SIGNIFICANT = 0.05


def number(value: float, digits: int = 2) -> str:
    """A number with a real minus sign; n/a if it is missing."""
    if not math.isfinite(value):
        return "n/a"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "\N{MINUS SIGN}")


def interval(low: float, high: float, digits: int = 2) -> str:
    return f"{number(low, digits)} to {number(high, digits)}"


def probability(p: float) -> str:
    if not math.isfinite(p):
        return "no p"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def count(value: float) -> str:
    """33k, 262k, 1.3M: amounts of tokens."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            scaled = value / size
            return f"{scaled:.{3 if scaled >= 100 else 2}g}{unit}"
    return f"{value:g}"


def seconds(value: float) -> str:
    """12 s, 3.4 min, 2.1 h."""
    if not math.isfinite(value):
        return "n/a"
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"


def plain(name: str) -> str:
    """A name of the config as words."""
    return name.replace("_", " ")


def sentence(text: str) -> str:
    """The text with a capital first letter, otherwise unchanged."""
    return text[:1].upper() + text[1:]


def plural(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def found(row: "pd.Series[Any]") -> bool:
    """Whether an association counts as found: its interval excludes zero, and the test is significant."""
    p = row["p_holm"] if math.isfinite(row["p_holm"]) else row["p_permutation"]
    return excludes_zero(row) and p <= SIGNIFICANT


def excludes_zero(row: "pd.Series[Any]") -> bool:
    return math.isfinite(row["ci_low"]) and (row["ci_low"] > 0 or row["ci_high"] < 0)


def verdict(row: "pd.Series[Any]") -> str:
    """A row of the correlation table as a clause that can follow a semicolon."""
    if not math.isfinite(row["value"]):
        return f"no correlation could be computed ({row['note'] or 'not enough variation'})"
    r = f"r = {number(row['value'])}"
    if not math.isfinite(row["ci_low"]):
        return f"whether it is more than chance cannot be said: {r} ({row['note']})"
    numbers = f"{r}, 95% interval {interval(row['ci_low'], row['ci_high'])}, {_tests(row)}"
    if not excludes_zero(row):
        return f"no relation was found: {numbers}{_power(row)}"
    if not found(row):
        return f"a relation is suggested but not established: {numbers}{_power(row)}"
    return f"loss {'falls' if row['value'] < 0 else 'rises'} as alignment rises: {numbers}"


def _tests(row: "pd.Series[Any]") -> str:
    p, corrected = probability(row["p_permutation"]), probability(row["p_holm"])
    return f"{p} ({corrected} after Holm)" if math.isfinite(row["p_holm"]) and corrected != p else p


def _power(row: "pd.Series[Any]") -> str:
    needed, half = row["families_needed"], row["families_needed_half"]
    if math.isfinite(needed):
        return f"; about {needed:.0f} independent families of training sets would be needed to detect an r of this size"
    if math.isfinite(half):
        return (
            f"; about {half:.0f} independent families of training sets would be needed to detect an r of 0.5"
        )
    return ""


def exchange(row: "pd.Series[Any]") -> str:
    """A row of the exchange rates as an amount of tokens."""
    if row["reached"] == "never":
        return f"more than {row['k']:.3g} times as many tokens, the most that was tried"
    if row["reached"] == "before":
        return "no more tokens than the target's own training set"
    amount = f"{row['k']:.3g} times as many tokens"
    if not math.isfinite(row["k_low"]):
        return f"{amount} (no interval: one run each)"
    return f"{amount} (95% interval {end(row, 'low')} to {end(row, 'high')})"


def end(row: "pd.Series[Any]", which: str) -> str:
    """An end of the interval of an exchange rate, or the bound set by the budgets."""
    sign = {"before": "below ", "never": "above "}.get(row[f"{which}_reached"], "")
    return f"{sign}{number(row[f'k_{which}'], 1)}"


def over_probes(row: "pd.Series[Any]", digits: int = 2) -> str:
    """The range over other probes, if there are any and the measure depends on them."""
    low, high = row.get("probes_low", math.nan), row.get("probes_high", math.nan)
    return f", {interval(low, high, digits)} over probes" if math.isfinite(low) else ""


def short_run(rows: pd.DataFrame) -> str:
    """Regret and cost of short runs on every candidate, as a clause; empty if there are none."""
    own = rows[rows["metric"] == SHORT_RUN]
    if own.empty:
        return ""
    row = own.iloc[0]
    spent = f" in {seconds(row['cost_seconds'])}" if math.isfinite(row["cost_seconds"]) else ""
    runs = f"runs of {count(row['run_tokens'])} tokens on every candidate"
    return f"; {runs} lose {number(row['regret'], 3)} nats{spent}"


def cost(row: "pd.Series[Any]") -> str:
    """Seconds of a measure compared with training every candidate, if known."""
    if not math.isfinite(row["cost_seconds"]):
        return ""
    spent = f"; it takes {seconds(row['cost_seconds'])}"
    if not math.isfinite(row["training_seconds"]):
        return spent
    return f"{spent}, against {seconds(row['training_seconds'])} to train on every candidate"

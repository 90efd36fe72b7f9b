"""The pages of answers: HTML without scripts, small enough to mail."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from workflow_scripts.report.templates import HERE, environment

OF_ALL_TARGETS = "mean"
MOST_SHARES = 4


@dataclass(frozen=True)
class Bar:
    """An interval on an axis from 0 to 100: its ends, the ends of the inner 80%, the middle."""

    low: float
    low_80: float
    middle: float
    high_80: float
    high: float


def ranking_page(ranking: pd.DataFrame, answer: Mapping[str, Any]) -> str:
    """HTML of a ranking, best first."""
    ends = ranking["low"].min(), ranking["high"].max()
    rows = [
        {**row, "bar": _bar(row, *ends), "warnings": answer["warnings"].get(row["candidate"], [])}
        for row in ranking.to_dict("records")
    ]
    metrics = [name.removesuffix("_rank") for name in ranking.columns if name.endswith("_rank")]
    return _page(
        "ranking.html.j2",
        rows=rows,
        metrics=metrics,
        ticks=_ticks(*ends),
        surveyed=ranking["overlap_words"].notna().all(),
        trained=ranking["loss"].notna().any(),
        answer=answer,
    )


def selection_page(summary: Mapping[str, Any], target: str, labels: Mapping[str, str]) -> str:
    """HTML of a selection: how many rows of each source were chosen, and which rows were left out."""
    sources = sorted(summary["sources"].items(), key=lambda item: -item[1]["chosen_tokens"])
    return _page(
        "selection.html.j2",
        sentence=selection_sentence(summary, labels.get(target, target)),
        target=labels.get(target, target),
        sources=[(labels.get(name, name), source) for name, source in sources],
        summary=summary,
    )


def selection_sentence(summary: Mapping[str, Any], target: str) -> str:
    chosen = summary["chosen"]
    return f"{amount(chosen['tokens'])} tokens for {target}: {chosen['rows']:,} rows chosen from {summary['rows']:,}."


def mix_page(mix: pd.DataFrame, gains: pd.DataFrame) -> str:
    """HTML of proposed shares, largest first."""
    return _page(
        "mix.html.j2",
        shares=_largest_shares(mix),
        gain=_gain(gains),
        targets=[name for name in gains["target"].unique() if name != OF_ALL_TARGETS],
        rows=mix.sort_values("share", ascending=False, kind="stable").to_dict("records"),
        gains=gains.to_dict("records"),
        budget_price=mix["budget_price"].iloc[0],
        tokens=int(mix["tokens"].sum()),
    )


def mix_sentence(mix: pd.DataFrame, gains: pd.DataFrame) -> str:
    """The largest shares in words, and their gain."""
    return f"{_largest_shares(mix)}. {_gain(gains)}"


def _largest_shares(mix: pd.DataFrame) -> str:
    used = mix[mix["tokens"] > 0].sort_values("share", ascending=False, kind="stable")
    named = used.head(MOST_SHARES).to_dict("records")
    shares = ", ".join(f"{share(row['share'])} {row['candidate']}" for row in named)
    return shares if len(used) <= MOST_SHARES else f"{shares} and {len(used) - MOST_SHARES} more"


def _gain(gains: pd.DataFrame) -> str:
    """The gain over equal shares; if the interval includes 1, there may be no gain."""
    mean = gains[(gains["against"] == "uniform") & (gains["target"] == OF_ALL_TARGETS)].iloc[0]
    perhaps = "" if mean["low"] > 1 else ", so perhaps no gain"
    return (
        f"This makes {mean['effective_token_ratio']:.2g} times the effective tokens of equal shares "
        f"(95% interval {mean['low']:.2g} to {mean['high']:.2g}{perhaps})."
    )


def _page(template: str, **values: Any) -> str:
    templates = environment()
    templates.filters |= {"amount": amount, "share": share}
    styles = "".join((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "answer.css"))
    return templates.get_template(template).render(styles=Markup(styles), **values)


def amount(value: float) -> str:
    """An amount with three figures and k, M, G or T."""
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def share(value: float) -> str:
    """A share in percent; shares that would round to 0% or 100% are shown as bounds."""
    if 0 < value < 0.01:
        return "<1%"
    if 0.99 < value < 1:
        return ">99%"
    return f"{value:.0%}"


def _bar(row: Mapping[str, Any], low: float, high: float) -> Bar:
    return Bar(
        *(_place(row[key], low, high) for key in ("low", "low_80", "effective_tokens", "high_80", "high"))
    )


def _place(value: float, low: float, high: float) -> float:
    """Position on a logarithmic axis, in percent of its length."""
    span = math.log(high / low)
    return 100 * math.log(value / low) / span if span else 50.0


def _ticks(low: float, high: float) -> Sequence[tuple[float, str]]:
    """Powers of ten on the axis, with labels."""
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    every = max(1, len(powers) // 5)
    return [(_place(10.0**power, low, high), amount(10.0**power)) for power in list(powers)[::every]]

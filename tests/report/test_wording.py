"""Sentences follow the numbers."""

import math
from typing import Any

import pandas as pd
import pytest

from workflow_scripts.report.wording import count, exchange, number, probability, seconds, verdict

NAN = math.nan


def row(**changes: Any) -> "pd.Series[Any]":
    """A correlation that was found, with some of its numbers changed."""
    numbers: dict[str, Any] = {
        "value": -0.8,
        "ci_low": -0.95,
        "ci_high": -0.4,
        "p_permutation": 0.002,
        "p_holm": 0.008,
        "p_smallest": 0.0002,
        "n_train": 7,
        "families_needed": 6.0,
        "families_needed_half": 19.0,
        "note": "",
    }
    return pd.Series({**numbers, **changes})


def test_a_relation_is_found_when_interval_and_test_agree() -> None:
    assert verdict(row()).startswith("loss falls as alignment rises: r = −0.80, 95% interval −0.95 to −0.40")
    rising = verdict(row(value=0.8, ci_low=0.4, ci_high=0.95))
    assert rising.startswith("loss rises as alignment rises")


def test_an_interval_that_includes_zero_means_no_relation_and_states_the_power() -> None:
    text = verdict(row(value=-0.2, ci_low=-0.7, ci_high=0.4, families_needed=91.0))
    assert text.startswith("no relation was found: r = −0.20")
    assert "about 91 independent families of training sets would be needed" in text


def test_no_interval_means_nothing_but_r_and_the_reason() -> None:
    text = verdict(
        row(ci_low=NAN, ci_high=NAN, p_permutation=NAN, note="3 training sets: no interval and no p")
    )
    assert "cannot be said: r = −0.80 (3 training sets: no interval and no p)" in text
    assert "falls" not in text


def test_an_interval_off_zero_with_a_large_p_is_no_finding() -> None:
    assert verdict(row(p_holm=0.2)).startswith("a relation is suggested but not established")
    assert verdict(row(p_holm=NAN, p_permutation=0.2)).startswith("a relation is suggested")


def test_an_undefined_correlation_says_why() -> None:
    assert "loss is constant" in verdict(row(value=NAN, note="loss is constant in this scope"))


@pytest.mark.parametrize(
    ("value", "text"), [(-0.004, "0.00"), (-0.5, "−0.50"), (NAN, "n/a"), (math.inf, "n/a")]
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_amounts() -> None:
    assert [count(n) for n in (512, 8192, 32768, 262144, 1_300_000)] == ["512", "8.2k", "33k", "262k", "1.3M"]
    assert [seconds(s) for s in (0.019, 12.3, 204, 7560)] == ["0.019 s", "12 s", "3.4 min", "2.1 h"]
    assert [probability(p) for p in (0.0002, 0.0123, 0.5)] == ["p < 0.001", "p = 0.012", "p = 0.50"]


def test_an_exchange_rate_that_is_a_bound_says_so() -> None:
    rate = {"k": 8.0, "k_low": 5.0, "k_high": 8.0, "low_reached": "within", "high_reached": "never"}
    assert exchange(pd.Series({**rate, "reached": "never"})).startswith("more than 8 times")
    assert (
        exchange(pd.Series({**rate, "k": 1.0, "reached": "before"}))
        == "no more tokens than the target's own training set"
    )
    within = exchange(pd.Series({**rate, "k": 6.0, "reached": "within"}))
    assert within == "6 times as many tokens (95% interval 5.0 to above 8.0)"
    low = exchange(pd.Series({**rate, "k_low": 1.0, "low_reached": "before", "k": 6.0, "reached": "within"}))
    assert low == "6 times as many tokens (95% interval below 1.0 to above 8.0)"
    alone = exchange(pd.Series({**rate, "k_low": NAN, "reached": "within"}))
    assert alone.endswith("(no interval: one run each)")

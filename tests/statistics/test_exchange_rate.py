"""How many more tokens a diluted training set needs."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.statistics.exchange_rate import crossing, exchange_rates, own_training_set
from workflow_scripts.statistics.experiments import Experiment

TOKENS = np.array([1.0, 2.0, 4.0, 8.0])
FRACTIONS = {"pure": 1.0, "half": 0.5, "none": 0.0}


def experiment(**changes) -> Experiment:
    options = {"target": "e", "fractions": FRACTIONS, **changes}
    return Experiment("x", "intervention", tuple(FRACTIONS), ("e",), **options)


def runs(slopes: dict[str, float], noise: float, seeds: int, rng: np.random.Generator) -> pd.DataFrame:
    """Loss 10 - log2(tokens) less for a diluted set: `half` is `slopes` nats worse at every budget."""
    return pd.DataFrame(
        {
            "experiment": "x",
            "part": "whole",
            "eval_set": "e",
            "train_set": name,
            "tokens": int(1000 * size),
            "seed": seed,
            "loss": 10 - np.log2(size) + worse + run,
        }
        for name, worse in slopes.items()
        for seed in range(seeds)
        for run in [noise * rng.normal()]
        for size in TOKENS
    )


def by_set(rows: list[dict], level: int = 1000) -> pd.DataFrame:
    """Rows of one level, the first by default."""
    table = pd.DataFrame(rows)
    return table[table["level_tokens"] == level].set_index("train_set")


def test_reads_a_straight_line_in_log_tokens() -> None:
    found = crossing(TOKENS, np.array([5.0, 4.0, 3.0, 2.0]), 3.5)
    assert found.reached == "within" and found.tokens == pytest.approx(2**1.5)


def test_a_bump_is_made_monotone() -> None:
    found = crossing(TOKENS, np.array([5.0, 3.0, 4.0, 2.0]), 3.5)
    assert found.reached == "within" and found.tokens == pytest.approx(2.0)


def test_ends_of_the_grid_are_bounds() -> None:
    assert crossing(TOKENS, np.array([5.0, 4.0, 3.0, 2.0]), 1.0).reached == "never"
    assert crossing(TOKENS, np.array([5.0, 4.0, 3.0, 2.0]), 6.0).reached == "before"
    assert crossing(TOKENS, np.array([5.0, 4.0, 3.0, 2.0]), 5.0).reached == "within"


def test_exchange_rates_of_known_curves() -> None:
    rows = by_set(
        exchange_rates(experiment(), runs({"pure": 0, "half": 1, "none": 4}, 0, 2, np.random.default_rng(0)))
    )
    assert list(rows.index) == ["pure", "half", "none"]
    assert rows.loc["half", "k"] == pytest.approx(2) and rows.loc["half", "label"] == "2x"
    assert rows.loc["none", "label"] == "> 8x" and rows.loc["none", "k"] == pytest.approx(8)
    assert rows.loc["none", "reached"] == rows.loc["none", "high_reached"] == "never"
    assert rows.loc["pure", "k"] == 1 and rows.loc["pure", "note"] == "by definition"


def test_interval_holds_the_truth_with_three_runs_each() -> None:
    rng = np.random.default_rng(1)
    held, widths = [], []
    for _ in range(200):
        row = by_set(
            exchange_rates(experiment(), runs({"pure": 0, "half": 1.5, "none": 2}, 0.2, 3, rng))
        ).loc["half"]
        held.append(row["k_low"] <= 2**1.5 <= row["k_high"])
        widths.append(row["k_high"] / row["k_low"])
    assert 0.91 < np.mean(held) <= 0.99 and np.median(widths) < 3


def test_one_run_has_a_value_and_no_interval() -> None:
    rows = by_set(exchange_rates(experiment(), runs({"pure": 0, "half": 1}, 0, 1, np.random.default_rng(0))))
    assert rows.loc["half", "k"] == pytest.approx(2) and np.isnan(rows.loc["half", "k_low"])
    assert "no interval" in rows.loc["half", "note"]


def test_a_better_set_is_an_upper_bound() -> None:
    rows = by_set(
        exchange_rates(experiment(), runs({"pure": 0, "half": -1}, 0.01, 2, np.random.default_rng(0)))
    )
    assert rows.loc["half", "reached"] == "before" and rows.loc["half", "label"] == "< 1x"


def test_without_the_pure_target_nothing_is_known() -> None:
    rows = by_set(
        exchange_rates(experiment(), runs({"half": 0, "none": 1}, 0.01, 2, np.random.default_rng(0)))
    )
    assert np.isnan(rows["k"]).all() and rows["note"].str.contains("own lacks a loss").all()


def test_every_level_that_the_budgets_allow_and_the_trend() -> None:
    """`near` is a nat behind at every budget; `far` falls behind further with each doubling."""
    rng = np.random.default_rng(0)
    losses = runs({"pure": 0, "half": 1, "none": 0}, 0, 2, rng)
    further = losses["train_set"] == "none"
    losses.loc[further, "loss"] += 0.5 * np.log2(losses.loc[further, "tokens"] / 1000)
    rows = exchange_rates(experiment(), losses)
    assert [by_set(rows, level).loc["half", "k"] for level in (1000, 2000, 4000)] == pytest.approx([2, 2, 2])
    assert by_set(rows).loc["half", "trend"] == pytest.approx(1)
    assert [by_set(rows, level).loc["none", "k"] for level in (1000, 2000)] == pytest.approx([1, 2])
    assert by_set(rows, 4000).loc["none", "label"] == "> 2x"
    assert by_set(rows).loc["none", "trend"] == pytest.approx(2)


def test_the_lower_end_at_the_smallest_budget_is_a_bound() -> None:
    rows = by_set(
        exchange_rates(experiment(), runs({"pure": 0, "half": 0.2}, 0.5, 3, np.random.default_rng(3)))
    )
    assert rows.loc["half", "k_low"] == 1 and rows.loc["half", "low_reached"] == "before"


def test_each_set_has_its_own_variance_between_seeds() -> None:
    """A noisy set widens its own interval, and not that of a quiet one."""
    rng = np.random.default_rng(4)
    quiet = runs({"pure": 0, "half": 1.5}, 0.01, 3, rng)
    noisy = runs({"none": 1.5}, 0.5, 3, rng)
    rows = by_set(exchange_rates(experiment(), pd.concat([quiet, noisy])))
    width = np.log(rows["k_high"] / rows["k_low"])
    assert width["half"] < 0.15 and width["none"] > 5 * width["half"]


def test_without_a_grid_each_target_has_its_own_training_set() -> None:
    near = {"own": ["e"], "mix": ["e", "f"], "other": ["f"]}
    sets = {"own": 0.0, "mix": 0.5, "other": 1.0}
    plain = Experiment("x", "pretraining", tuple(sets), ("e", "f", "g"), in_domain_for=near)
    on_e = runs(sets, 0, 2, np.random.default_rng(0))
    losses = pd.concat([on_e.assign(eval_set=name) for name in ("e", "f", "g")])
    table = pd.DataFrame(exchange_rates(plain, losses))
    assert dict(zip(table["eval_set"], table["reference"], strict=True)) == {"e": "own", "f": "other"}
    other = table[(table["eval_set"] == "e") & (table["train_set"] == "other")]
    assert list(other["k"]) == pytest.approx([2, 2, 2]) and other["fraction"].isna().all()
    assert own_training_set(Experiment("x", "pretraining", ("a", "e"), ("e",)), "e") == "e"


def test_a_target_must_be_evaluated() -> None:
    losses = runs({"pure": 0}, 0, 1, np.random.default_rng(0))
    assert exchange_rates(experiment(target=None), losses) == []
    with pytest.raises(UserError, match="target 'f'"):
        exchange_rates(experiment(target="f"), losses)

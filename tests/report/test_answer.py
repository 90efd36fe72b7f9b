"""The three sentences, from a run with a relation, one without, and one that lacks tables."""

import math

import pandas as pd

from workflow_scripts.report.answer import answer, caveats

Frames = dict[str, pd.DataFrame]


def test_a_run_with_a_relation(tables: Frames) -> None:
    prediction, size, choice = answer(tables)
    assert prediction.startswith(
        "In pretraining, for task2vec within evaluation sets, loss falls as alignment rises"
    )
    assert "50% of it need" in size
    assert "none of it" in size and "for the loss of 131k tokens" in size
    assert "where a blind draw loses" in choice
    assert "to train on every candidate" in choice
    assert caveats(tables) == []


def test_the_numbers_are_those_of_the_tables(tables: Frames) -> None:
    changed = tables["correlation"].copy()
    headline = (
        (changed["experiment"] == "pretraining")
        & (changed["metric"] == "task2vec")
        & (changed["scope"] == "within_eval")
        & (changed["statistic"] == "pearson_r")
    )
    assert headline.sum() == 1
    changed.loc[headline, ["value", "ci_low", "ci_high"]] = [-0.123, -0.4, 0.2]
    prediction = answer({**tables, "correlation": changed})[0]
    assert "no relation was found: r = −0.12, 95% interval −0.40 to 0.20" in prediction

    rates = tables["exchange_rate"].copy()
    half = (rates["fraction"] == 0.5) & (rates["level_tokens"] == rates["level_tokens"].min())
    rates.loc[half, ["k", "k_low", "k_high"]] = [3.21, 3.0, 3.5]
    rates.loc[half, ["low_reached", "high_reached"]] = "within"
    assert (
        "need 3.21 times as many tokens (95% interval 3.0 to 3.5)"
        in answer({**tables, "exchange_rate": rates})[1]
    )

    choices = tables["choice"].copy()
    chosen = (choices["metric"] == "gzip_pairs") & choices["eval_set"].isna()
    choices.loc[chosen, ["regret", "regret_low"]] = [-0.77, math.nan]
    assert "by gzip pairs" in (sentence := answer({**tables, "choice": choices})[2])
    assert "loses −0.770 nats on average, where" in sentence


def test_a_run_without_a_relation_says_so_and_that_it_has_one_seed(unrelated: Frames) -> None:
    assert "no relation was found" in answer(unrelated)[0]
    assert "would be needed to detect" in answer(unrelated)[0]
    assert "no more tokens than the target's own training set" in answer(unrelated)[1]
    assert "one seed" in caveats(unrelated)[0]


def test_a_measure_that_depends_on_the_probe_has_its_range_over_probes(tables: Frames) -> None:
    spread = tables["probe_spread"]
    r = spread[
        (spread["experiment"] == "pretraining")
        & (spread["scope"] == "within_eval")
        & (spread["statistic"] == "pearson_r")
    ]["value"]
    low, high = (f"{end:.2f}".replace("-", "−") for end in (r.min(), r.max()))
    assert f", {low} to {high} over probes" in answer(tables)[0]
    alone = {name: table for name, table in tables.items() if name != "probe_spread"}
    assert "over probes" not in answer(alone)[0]


def test_too_few_families_are_named_and_leave_only_r(tables: Frames) -> None:
    correlation = tables["correlation"].copy()
    rows = correlation["experiment"] == "pretraining"
    correlation.loc[rows, "n_families"] = 1
    correlation.loc[rows, ["ci_low", "ci_high", "p_permutation", "p_holm"]] = math.nan
    changed = {**tables, "correlation": correlation}
    assert "cannot be said: r = " in answer(changed)[0]
    (caveat,) = caveats(changed)
    assert "pretraining (7 training sets, 1)" in caveat and "finetuning" not in caveat


def test_a_run_that_lacks_everything_still_has_three_sentences() -> None:
    sentences = answer({})
    assert len(sentences) == 3
    assert all("is unknown" in sentence for sentence in sentences)


def test_of_measures_that_choose_alike_the_cheapest_is_named(tables: Frames) -> None:
    choices = tables["choice"].copy()
    means = choices["eval_set"].isna() & (choices["metric"] != "random_choice")
    choices.loc[means, "regret"] = 0.1
    assert (
        "by tfidf cosine, the cheapest of the 4 that chose best" in answer({**tables, "choice": choices})[2]
    )

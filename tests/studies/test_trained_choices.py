"""The arms of the study of trained choices: their scorers, equal tokens, and the analysis that was registered."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from studies.trained_choices import arms, configs, texts
from studies.trained_choices import registered as plan
from studies.trained_choices.analysis import paired_differences, summary, unigram_loss

COOKING = ["stir the soup and add salt", "boil the rice and add butter", "fry the onion in butter with salt"]
LAW = [
    "the court dismissed the appeal with costs",
    "the tribunal allowed the appeal",
    "counsel for the court",
]


def mixed_rows(seed: int) -> tuple[list[str], np.ndarray]:
    """Rows of both kinds, and which of them are of the kitchen."""
    draws = np.random.default_rng(seed)
    of_cooking = np.arange(20) < 10
    rows = [" ".join(draws.choice(COOKING if kind else LAW, 6)) for kind in of_cooking]
    return rows, of_cooking


def test_zip_fit_prefers_rows_like_the_target() -> None:
    rows, of_cooking = mixed_rows(0)
    target = [" ".join(COOKING), " ".join(reversed(COOKING))]
    scores = arms.zip_fit_scores(rows, target)
    assert scores[of_cooking].min() > scores[~of_cooking].max()


def test_zip_fit_is_one_less_the_normalised_compression_distance() -> None:
    noise = ["".join(map(chr, np.random.default_rng(n).integers(32, 127, 400))) for n in (0, 1)]
    assert arms.zip_fit_scores(noise[:1], noise[:1])[0] > 0.9
    assert arms.zip_fit_scores(noise[:1], noise[1:])[0] < 0.1


def test_perplexity_prefers_rows_like_the_target() -> None:
    rows, of_cooking = mixed_rows(1)
    words = {
        word: n for n, word in enumerate(sorted({word for row in COOKING + LAW for word in row.split()}))
    }
    ids = [np.array([words[word] for word in row.split()]) for row in rows]
    target = [np.array([words[word] for word in row.split()]) for row in COOKING]
    scores = arms.log_probability_scores(ids, target, 3, len(words))
    assert scores[of_cooking].min() > scores[~of_cooking].max()
    one_by_one = [arms.log_probability_scores([row], target, 3, len(words))[0] for row in ids]
    np.testing.assert_allclose(scores, one_by_one)


def test_arms_have_equal_tokens_but_for_their_last_row() -> None:
    draws = np.random.default_rng(2)
    lengths = draws.integers(1, 250, 400)
    for _ in range(20):
        order = draws.permutation(len(lengths))
        taken = arms.first_tokens(order, lengths, 10_000)
        held = lengths[taken]
        assert held[:-1].sum() < 10_000 <= held.sum()
        assert list(taken) == list(order[: len(taken)])
    with pytest.raises(ValueError, match="are wanted"):
        arms.first_tokens(np.arange(3), lengths, 10_000)


def test_halves_share_no_document_and_lose_no_word() -> None:
    documents = [f"{n}-start " + f"w{n}\n " * 300 for n in range(11)]
    first, second = texts.halves(documents, seed=0)
    assert {row.split()[-1] for row in first}.isdisjoint(row.split()[-1] for row in second)
    assert sorted("".join(first + second).split()) == sorted("".join(documents).split())
    assert max(len(row.split()) for row in first + second) == plan.WORDS_PER_ROW


def test_the_pool_of_a_target_leaves_its_corpus_out(tmp_path) -> None:
    for target in plan.TARGETS:
        names = list(texts.pool_of(tmp_path, target))
        assert target not in names and len(names) == len(plan.POOL) - 1 and names == sorted(names)
    assert plan.TOKENIZER_CORPUS not in (*plan.POOL, *plan.CANDIDATES, *plan.ALL_TARGETS)


def test_equal_shares_are_trained_once_and_single_is_its_candidate(tmp_path) -> None:
    shares = {}
    for pair in plan.PAIRS:
        shares |= {f"{pair}_{arm}": {"pubmed": 0.5, "uspto": 0.5} for arm in ("uniform", "natural")}
        shares[f"{pair}_{plan.MIX_OURS}"] = {"pubmed": 0.9, "uspto": 0.1, "pile_cc": 0.0}
        shares[f"{pair}_single"] = {"pubmed": 0.0, "uspto": 1.0}
    config = configs.mix_config(tmp_path, tmp_path, shares)
    assert config["arms"]["nih_stackexchange_single"] == "uspto"
    assert config["arms"]["hackernews_patents_natural"] == config["arms"]["nih_stackexchange_uniform"]
    for experiment in config["experiments"]:
        assert len(experiment["train_sets"]) == 3


def test_differences_are_paired_and_both_pools_are_what_they_say() -> None:
    draws = np.random.default_rng(3)
    frame = pd.DataFrame(
        [(a, t, s) for a in ("ours", "other") for t in "xyz" for s in range(5)],
        columns=["arm", "target", "seed"],
    )
    frame["loss"] = draws.normal(size=len(frame))
    ours = frame[frame["arm"] == "ours"]["loss"].to_numpy().reshape(3, 5)
    other = frame[frame["arm"] == "other"]["loss"].to_numpy().reshape(3, 5)
    found = paired_differences(frame, "ours").set_index(["target", "seed"])["difference"]
    assert found["y", 2] == pytest.approx(ours[1, 2] - other[1, 2])
    table = summary(frame, "ours").set_index("target")
    difference = ours - other
    for n, target in enumerate("xyz"):
        low, high = stats.ttest_1samp(difference[n], 0).confidence_interval()
        assert (table.loc[target, "low"], table.loc[target, "high"]) == pytest.approx((low, high))
    low, high = stats.ttest_1samp(difference.mean(axis=1), 0).confidence_interval()
    assert tuple(table.loc["over targets", ["low", "high"]]) == pytest.approx((low, high))
    error = np.sqrt((difference.var(axis=1, ddof=1) / 5).sum()) / 3
    half = stats.t.ppf(0.975, 12) * error
    assert table.loc["these targets", "high"] == pytest.approx(difference.mean() + half)


def test_the_loss_by_token_frequencies() -> None:
    found = unigram_loss(np.array([0, 0, 0, 1]), np.array([0, 1, 2]), 3)
    assert found == pytest.approx(-np.log([4 / 7, 2 / 7, 1 / 7]).mean())

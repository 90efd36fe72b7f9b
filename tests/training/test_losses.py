import numpy as np
import pandas as pd
import pytest

from workflow_scripts.training.losses import (
    LOSS_COLUMNS,
    find_missing,
    find_not_finite,
    losses_of_experiments,
    summarise,
)

GRID = {
    "name": "grid",
    "kind": "intervention",
    "recipe": "trunk",
    "train_sets": ["half", "all"],
    "eval_sets": ["y"],
    "tokens": [100],
    "fractions": {"half": 0.5, "all": 1},
}
PLAIN = {**GRID, "name": "plain", "train_sets": ["all"], "tokens": [100, 200], "fractions": None}


@pytest.fixture
def losses():
    random = np.random.default_rng(0)
    rows = [
        ("trunk", train_set, eval_set, "whole", tokens, seed, f"d{i}", random.gamma(2, 50), 20 + i, 70 + i)
        for train_set, budgets in (("half", (100, 200)), ("all", (100, 200)), ("none", (0,)))
        for tokens in budgets
        for seed in ((0,) if train_set == "none" else (0, 1))
        for eval_set in ("y", "z")
        for i in range(30)
    ]
    columns = [
        "recipe",
        "train_set",
        "eval_set",
        "part",
        "tokens",
        "seed",
        "doc_id",
        "nll",
        "n_tokens",
        "n_bytes",
    ]
    return pd.DataFrame(rows, columns=columns)


def test_an_experiment_reads_its_sets_and_budgets_and_the_untrained_base(losses):
    table = losses_of_experiments([GRID, PLAIN], losses)
    assert list(table.columns) == LOSS_COLUMNS
    read = table.drop_duplicates(["experiment", "train_set", "eval_set", "tokens", "fraction", "seed"])
    grid = read[read["experiment"] == "grid"]
    assert set(grid["eval_set"]) == {"y"}
    assert sorted(
        zip(grid["train_set"], grid["tokens"], grid["seed"], grid["fraction"].fillna(-1), strict=True)
    ) == [
        ("all", 100, 0, 1.0),
        ("all", 100, 1, 1.0),
        ("half", 100, 0, 0.5),
        ("half", 100, 1, 0.5),
        ("none", 0, 0, -1.0),
    ]
    plain = read[read["experiment"] == "plain"]
    assert set(plain["train_set"]) == {"all", "none"} and set(plain["tokens"]) == {0, 100, 200}
    assert plain["fraction"].isna().all()


def test_another_recipe_is_not_read(losses):
    assert len(losses_of_experiments([{**GRID, "recipe": "other"}], losses)) == 0


def test_means_are_ratios_of_sums_and_their_errors_those_of_the_jackknife(losses):
    summary = summarise(losses_of_experiments([PLAIN], losses))
    assert summary["fraction"].isna().all() and len(summary) == 5
    row = summary[(summary["train_set"] == "all") & (summary["tokens"] == 200) & (summary["seed"] == 1)].iloc[
        0
    ]
    documents = losses[
        (losses["train_set"] == "all")
        & (losses["tokens"] == 200)
        & (losses["seed"] == 1)
        & (losses["eval_set"] == "y")
    ]
    nll, tokens, size = (documents[name].to_numpy() for name in ("nll", "n_tokens", "n_bytes"))
    assert (row["n_documents"], row["n_tokens"], row["n_bytes"]) == (30, tokens.sum(), size.sum())
    assert row["loss"] == pytest.approx(nll.sum() / tokens.sum())
    assert row["bits_per_byte"] == pytest.approx(nll.sum() / np.log(2) / size.sum())
    assert row["perplexity"] == pytest.approx(np.exp(row["loss"]))
    assert row["perplexity_se"] == pytest.approx(row["perplexity"] * row["loss_se"])
    for name, value, weight in (("loss", nll, tokens), ("bits_per_byte", nll / np.log(2), size)):
        left_out = (value.sum() - value) / (weight.sum() - weight)
        jackknife = np.sqrt(29 / 30 * ((left_out - left_out.mean()) ** 2).sum())
        assert row[f"{name}_se"] == pytest.approx(jackknife, rel=0.02)


def test_one_document_has_no_standard_error(losses):
    single = losses[losses["doc_id"] == "d0"]
    summary = summarise(losses_of_experiments([PLAIN], single))
    assert summary["loss"].notna().all() and summary[["loss_se", "perplexity_se"]].isna().all(axis=None)


def test_missing_models_are_listed(losses):
    assert find_missing([GRID, PLAIN], losses) == []
    without = losses[~((losses["train_set"] == "half") & (losses["seed"] == 1) & (losses["eval_set"] == "y"))]
    expected = {
        "experiment": "grid",
        "recipe": "trunk",
        "train_set": "half",
        "eval_set": "y",
        "tokens": 100,
        "seed": 1,
    }
    assert find_missing([GRID, PLAIN], without) == [expected]
    assert find_missing([{**PLAIN, "tokens": [100], "seeds": [0, 1, 2]}], losses) == [
        {**expected, "experiment": "plain", "train_set": "all", "seed": 2}
    ]
    assert [one["seed"] for one in find_missing([{**GRID, "recipe": "other"}], losses)] == [None, None]


def test_diverged_models_are_listed(losses):
    losses.loc[losses["train_set"] == "half", "nll"] = np.nan
    broken = find_not_finite(summarise(losses_of_experiments([GRID], losses)))
    assert [(one["train_set"], one["seed"]) for one in broken] == [("half", 0), ("half", 1)]

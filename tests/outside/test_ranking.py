"""Tables about recorded experiments, on losses made by a law: what each predictor must and must not see."""

from dataclasses import replace

import numpy as np
import pytest

from workflow_scripts.outside.predictors import IN_SAMPLE
from workflow_scripts.outside.ranking import (
    Effort,
    Study,
    best_metrics,
    flat_prior,
    judged,
    law_rows,
    point_rows,
    proxy_predictions,
    text_predictions,
    worth_rows,
)
from workflow_scripts.statistics.effective_tokens import Gaps, Runs

PARTS, TARGETS = tuple("abcde"), tuple("ab")
GAPS = np.array([[0, 0.8], [0.9, 0], [0.05, 0.6], [0.5, 0.1], [1.2, 1.1]])
EFFORT = Effort(proxies=(8, 40), draws=3, resamples=100, seed=0, threads=1)


def runs(n, seed, scale=1.0, noise=0.02):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(5, 0.4), n)
    shares[shares < 0.02] = 0
    shares /= shares.sum(axis=1, keepdims=True)
    worth = np.exp(-np.sqrt(GAPS / 0.1 * scale))
    losses = 3 - 0.3 * np.log(1e-3 + shares @ worth) + rng.normal(0, noise, (n, 2))
    return Runs(tuple(f"m{i:03}" for i in range(n)), PARTS, TARGETS, shares, np.ones(n), losses)


@pytest.fixture(scope="module")
def study():
    return Study(
        "large",
        "1M",
        runs(60, 1),
        proxies=runs(80, 0),
        proxies_name="small",
        same_model=True,
        stand_ins=("b",),
    )


@pytest.fixture(scope="module")
def gaps():
    errors = np.full(GAPS.shape, 0.01)
    nonsense = np.random.default_rng(5).permutation(GAPS[2:].ravel()).reshape(3, 2)
    return {
        "good": Gaps(GAPS, errors),
        "nonsense": Gaps(np.vstack([GAPS[:2], nonsense]), errors),
    }


@pytest.fixture(scope="module")
def tables(study, gaps):
    predictions = [
        *text_predictions(study, gaps, {"good": -GAPS.sum() * study.runs.shares[:, :2]}),
        *proxy_predictions([study], {study.name: gaps}, EFFORT)[study.name],
    ]
    return judged(study, predictions, EFFORT)


def value(rows, **asked):
    found = [row for row in rows if all(row[key] == wanted for key, wanted in asked.items())]
    assert len(found) == 1, (asked, len(found))
    return found[0]


def test_effective_tokens_beat_the_own_share_and_nonsense_does_less(tables):
    rankings, differences = tables
    everywhere = {"scope": "all", "eval_set": "mean", "proxies": 0}
    good = value(rankings, metric="good", predictor="effective_tokens", kernel="root", **everywhere)
    own = value(rankings, metric="own_share", **everywhere)
    nonsense = value(rankings, metric="nonsense", predictor="effective_tokens", kernel="root", **everywhere)
    assert good["spearman"] > 0.97 > own["spearman"]
    assert good["spearman"] > nonsense["spearman"] + 0.02
    assert good["ci_low"] < good["spearman"] <= good["ci_high"] <= 1
    paired = value(
        differences,
        metric="good",
        predictor="effective_tokens",
        kernel="root",
        other_metric="own_share",
        **everywhere,
    )
    assert paired["difference"] == pytest.approx(good["spearman"] - own["spearman"])
    assert paired["ci_low"] < paired["difference"] < paired["ci_high"]


def test_out_of_domain_the_own_share_says_nothing(tables):
    rankings, _ = tables
    own = value(rankings, metric="own_share", scope="no_own_share", eval_set="mean")
    good = value(
        rankings,
        metric="good",
        predictor="effective_tokens",
        kernel="root",
        scope="no_own_share",
        eval_set="mean",
    )
    assert own["spearman"] == 0
    assert good["spearman"] > 0.9
    assert good["n_runs"] < 60


def test_stand_ins_are_left_out_of_one_view(tables):
    targets = {row["eval_set"] for row in tables[0] if row["scope"] == "without_stand_ins"}
    assert targets == {"a", "mean", "all"}


def test_a_prior_from_text_needs_fewer_proxies_than_a_flat_one(tables):
    rankings, differences = tables
    key = {"predictor": "law", "proxies": 8, "scope": "all", "eval_set": "mean"}
    assert (
        value(rankings, metric="good", **key)["spearman"]
        > value(rankings, metric="flat_prior", **key)["spearman"]
    )
    assert value(rankings, metric="good", **key)["draws"] == 3
    assert np.isfinite(value(rankings, metric="good", **key)["draw_sd"])
    assert value(differences, metric="good", other_metric="flat_prior", **key)["difference"] > 0


def test_regret_is_nats_above_the_best(tables, study):
    for row in tables[0]:
        assert row["regret"] >= 0
    worst = study.runs.losses.max() - study.runs.losses.min()
    assert max(row["regret"] for row in tables[0]) <= worst


def test_worths_of_text_and_law(study, gaps):
    rows = list(worth_rows(Study("small", "1M", study.proxies), gaps))
    text = value(rows, metric="good", kernel="root", source="text", corpus="c", eval_set="a")
    law = value(rows, metric="good", kernel="root", source="law", corpus="c", eval_set="a")
    true = np.exp(-np.sqrt(0.05 / 0.1))
    assert text["worth"] == pytest.approx(true, rel=0.3)
    assert law["low"] < true < law["high"]
    own = value(rows, metric="good", kernel="root", source="law", corpus="a", eval_set="a")
    assert own["worth"] == own["low"] == own["high"] == 1


def test_intervals_of_the_law_cover_other_runs(study, gaps):
    rows = [row for row in law_rows(study, gaps, EFFORT) if row["proxies"] == 40 and row["metric"] == "good"]
    assert len(rows) == 2
    assert min(row["coverage"] for row in rows) > 0.85
    assert max(row["rmse"] for row in rows) < 0.1
    other_size = Study("other", "1B", study.runs, proxies=study.proxies)
    assert not list(law_rows(other_size, gaps, EFFORT))  # its level is another


def test_without_proxies_runs_predict_each_other_and_tau_is_said_to_be_in_sample(gaps):
    own = Study("mine", "", runs(24, 3))
    text = [one for one in text_predictions(own, gaps, {}) if one.predictor == "effective_tokens"]
    assert {one.note for one in text} == {IN_SAMPLE}
    found = proxy_predictions([own], {"mine": gaps}, EFFORT)["mine"]
    assert {one.scores.shape for one in found} == {(1, 24, 2)}
    assert all("9 of 10 folds" in one.note for one in found)


def test_a_kernel_that_sharpens_with_size_is_extrapolated(gaps):
    sizes = {1e6: runs(80, 6), 1e8: runs(80, 7, scale=2.0)}
    large = Study("large", "10B", runs(80, 8, scale=4.0), runs(80, 0), parameters=1e10, sizes=sizes)
    kernels = {one.kernel: one for one in text_predictions(large, gaps, {}) if one.metric == "good"}
    assert set(kernels) == {"exponential", "root", "exponential, extrapolated", "root, extrapolated"}


def test_points_hold_every_run_and_target(study, gaps):
    rows = list(point_rows(study, "good", gaps["good"]))
    assert len(rows) == 60 * 2
    assert all(0 < row["effective_tokens"] <= 1.01 for row in rows)


def test_experiments_with_the_same_proxies_share_fits_and_get_what_each_would_alone(study, gaps):
    other = replace(study, name="other", runs=runs(20, 9))
    effort = replace(EFFORT, proxies=(8,), draws=2)
    both = proxy_predictions([study, other], {"large": gaps, "other": gaps}, effort)
    alone = proxy_predictions([other], {"other": gaps}, effort)
    for one, same in zip(both["other"], alone["other"], strict=True):
        assert one.name == same.name
        assert np.array_equal(one.scores, same.scores)
    assert both["large"][0].scores.shape[1] == 60


def test_the_best_measure_is_the_one_that_ranks_the_proxies_best(study, tables):
    rankings = [
        {"experiment": name, "metric": metric, "predictor": "effective_tokens", "kernel": "root"}
        | {"scope": "all", "eval_set": "mean", "spearman": value}
        for name, metric, value in (("small", "a", 0.9), ("small", "b", 0.8), ("large", "b", 0.99))
    ]
    assert best_metrics([study], rankings) == {"large": "a"}


def test_a_flat_prior_tells_no_parts_apart(study):
    flat = flat_prior(study.proxies)
    assert flat[0, 0] == flat[1, 1] == 1
    assert len(np.unique(np.delete(flat.ravel(), [0, 3]))) == 1

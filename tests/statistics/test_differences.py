"""Paired differences of metrics, resamples, and adjustment for several metrics."""

import numpy as np
import pytest

from workflow_scripts.statistics.differences import metric_differences
from workflow_scripts.statistics.experiments import Experiment, Panel
from workflow_scripts.statistics.resampling import cluster_resamples
from workflow_scripts.statistics.run_correlations import holm, scopes


def panel(n_train: int, families: dict[str, str] | None = None) -> Panel:
    rng = np.random.default_rng(0)
    fit = rng.normal(size=(n_train, 6))
    names, evals = tuple(f"t{i}" for i in range(n_train)), tuple(f"e{j}" for j in range(6))
    return Panel(
        experiment=Experiment("x", "pretraining", names, evals, families=families or {}),
        part="whole",
        tokens=1,
        train_sets=names,
        eval_sets=evals,
        losses=-fit + 0.1 * rng.normal(size=(2, n_train, 6)),
        alignments={"good": fit, "same": 2 * fit + 1, "worse": fit + 2 * rng.normal(size=fit.shape)},
        in_domain=np.zeros(fit.shape, bool),
        note="",
    )


def test_the_better_metric_is_named_and_equal_ones_are_not() -> None:
    rows = metric_differences(panel(7), scopes(panel(7)))
    within = {(row["metric"], row["other"]): row for row in rows if row["scope"] == "within_eval"}
    assert within["good", "worse"]["ci_high"] < 0 and within["good", "worse"]["difference"] < -0.3
    same = within["good", "same"]
    assert same["difference"] == pytest.approx(0) and same["ci_low"] == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("few", [panel(4), panel(7, {"t0": "one", "t1": "one", "t2": "one"})])
def test_few_families_have_differences_without_intervals(few) -> None:
    rows = metric_differences(few, scopes(few))
    assert all(np.isnan(row["ci_low"]) and "fewer than 6 families" in row["note"] for row in rows)


def test_resamples_draw_all_three_and_are_repeatable() -> None:
    losses = np.random.default_rng(0).normal(size=(3, 5, 4))
    losses[0, 1] = np.nan
    one, two = cluster_resamples(losses, 2000, 1), cluster_resamples(losses, 2000, 1)
    assert (one.weights == two.weights).all() and np.array_equal(one.losses, two.losses, equal_nan=True)
    whole = cluster_resamples(np.zeros((1, 5, 4)), 4000, 2).weights
    # A count of n draws among n has mean 1 and mean square 2 - 1/n; rows and columns are drawn apart.
    assert whole.mean() == pytest.approx(1, abs=0.01)
    assert (whole**2).mean() == pytest.approx((2 - 1 / 5) * (2 - 1 / 4), rel=0.05)
    drawn = np.nan_to_num(one.losses[:, 0, 0])
    assert drawn.mean() == pytest.approx(losses[:, 0, 0].mean(), abs=0.05)
    assert np.isclose(drawn, losses[0, 0, 0]).any() and np.isclose(drawn, losses[:, 0, 0].mean()).any()
    assert (one.weights[np.isnan(one.losses)] == 0).all()


def test_the_sets_of_a_family_are_drawn_together() -> None:
    weights = cluster_resamples(np.zeros((2, 4, 3)), 200, 1, np.array([0, 1, 0, 2])).weights
    assert (weights[:, 0] == weights[:, 2]).all() and (weights[:, 0] != weights[:, 1]).any()


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.6, 0.9])) == pytest.approx([1, 1])

"""Agreement of rankings, on tables whose answer is known."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from workflow_scripts.statistics.ranking_agreement import mean_tau, tau_interval, tau_of_halves

RNG = np.random.default_rng(0)


def tables(means: np.ndarray, noise: float, rng: np.random.Generator, batches: int = 4) -> np.ndarray:
    """What a batch of a training set, and one of an evaluation set, add."""
    n_train, n_eval = means.shape
    source = noise * rng.normal(size=(n_train, 1, batches, 1))
    target = noise * rng.normal(size=(1, n_eval, 1, batches))
    return means[:, :, None, None] + source + target


def test_mean_tau_is_that_of_scipy() -> None:
    first, second = RNG.normal(size=(2, 6, 3))
    second[0] = second[1]
    expected = [kendalltau(one, other).statistic for one, other in zip(first.T, second.T, strict=True)]
    assert float(mean_tau(first, second)) == pytest.approx(np.mean(expected))
    assert float(mean_tau(first, np.zeros_like(second))) == 0


def test_clearly_apart_the_interval_is_the_value() -> None:
    means = np.array([[0.1, 0.9], [0.5, 0.5], [0.9, 0.1]])
    swapped = means[[1, 0, 2]]
    noisy = tables(means, 1e-4, np.random.default_rng(1))
    assert tau_interval(noisy, noisy + 0.3) == (1.0, 1.0)
    ends = tau_interval(noisy, tables(swapped, 1e-4, np.random.default_rng(2)))
    assert ends == pytest.approx((1 / 3, 1 / 3))


def test_sets_that_the_batches_do_not_tell_apart_leave_the_agreement_open() -> None:
    means = np.tile(np.array([[0.5], [0.5001], [0.9]]), (1, 2))
    rng = np.random.default_rng(3)
    low, high = tau_interval(tables(means, 0.02, rng), tables(means, 0.02, rng))
    assert low <= 1 / 3 + 1e-9
    assert high == 1


def test_one_batch_or_one_training_set_has_no_interval() -> None:
    assert np.isnan(tau_interval(np.zeros((3, 2, 1, 1)), np.zeros((3, 2, 1, 1)))).all()
    assert np.isnan(tau_interval(np.zeros((1, 2, 4, 4)), np.zeros((1, 2, 4, 4)))).all()
    assert np.isnan(tau_of_halves(np.zeros((3, 2, 1, 1))))


def test_halves_agree_as_far_as_the_noise_lets_them() -> None:
    means = np.linspace(0, 1, 5)[:, None] + np.zeros((5, 3))
    assert tau_of_halves(tables(means, 1e-3, np.random.default_rng(4))) == 1
    alone = [tau_of_halves(tables(means * 0, 1.0, np.random.default_rng(seed))) for seed in range(40)]
    assert abs(np.mean(alone)) < 0.15


def test_the_interval_holds_the_true_agreement() -> None:
    rng = np.random.default_rng(5)
    held = []
    for _ in range(60):
        means = 0.02 * rng.normal(size=(4, 4))
        moved = means + 0.02 * rng.normal(size=(4, 4))
        low, high = tau_interval(tables(means, 0.01, rng), tables(moved, 0.01, rng))
        held.append(low <= float(mean_tau(means, moved)) <= high)
    assert np.mean(held) > 0.9

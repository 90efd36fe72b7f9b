"""How many training sets a study would need."""

import numpy as np
import pytest

from workflow_scripts.statistics.permutation import arrangements, relabelled_correlations
from workflow_scripts.statistics.power import families_needed, pairs_needed


def test_textbook_sample_sizes() -> None:
    assert pairs_needed(0.5) == pytest.approx(29, abs=0.05)
    assert np.ceil(pairs_needed(0.3)) == 85
    assert pairs_needed(-0.3) == pairs_needed(0.3)


def relabelled(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    ones = np.ones(x.shape)
    return relabelled_correlations(x, y, ones, ones, "within_eval", arrangements(len(x), 0, 0).orders)


def test_one_evaluation_set_needs_what_the_textbook_says() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 7, 1))
    assert families_needed(0.5, relabelled(x, y), 7) == pytest.approx(29, abs=1)


def test_evaluation_sets_help_unless_training_sets_differ_in_quality() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 7, 10))
    free = families_needed(0.3, relabelled(x, y), 7)
    x, y = np.repeat(x[:, :1], 10, axis=1), np.repeat(y[:, :1], 10, axis=1)
    tied = families_needed(0.3, relabelled(x, y), 7)
    assert free < 20 and tied == pytest.approx(85, abs=2)


def test_power_is_as_promised() -> None:
    """With the number of sets it names, a test finds the association about four times in five."""
    rng = np.random.default_rng(2)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=(n, 4))
        return x, 0.5 * x + np.sqrt(0.75) * rng.normal(size=(n, 4))

    needed = np.mean([families_needed(0.5, relabelled(*draw(6)), 6) for _ in range(20)])
    n = round(needed)
    assert 6 <= n <= 12
    orders, ones = arrangements(n, 300, 0).orders, np.ones((n, 4))
    found = []
    for _ in range(200):
        x, y = draw(n)
        values = relabelled_correlations(x, y, ones, ones, "within_eval", orders)
        found.append(np.mean(np.abs(values) >= abs(values[0]) - 1e-9) <= 0.05)
    assert 0.68 < np.mean(found) < 0.93


def test_nothing_to_detect_is_not_a_number() -> None:
    assert np.isnan(families_needed(0.0, np.array([0.1, -0.1]), 6))
    assert np.isnan(families_needed(0.5, np.zeros(5), 6))

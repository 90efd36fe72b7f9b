"""Distances: their properties, the matrix against single pairs, and files against arrays."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cosine

from workflow_scripts.fisher.distance import distance, distance_matrix

positive = st.floats(1e-6, 1e6)
numbers = st.one_of(st.just(0.0), positive)
embeddings = arrays(np.float64, 7, elements=numbers)


@given(embeddings, embeddings, st.sampled_from([None, 1e-8]))
@settings(max_examples=200, deadline=None)
def test_symmetric_and_between_zero_and_one(a: np.ndarray, b: np.ndarray, epsilon: float | None) -> None:
    assert distance(a, b, epsilon) == pytest.approx(distance(b, a, epsilon), abs=1e-12)
    assert 0 <= distance(a, b, epsilon) <= 1


@given(embeddings, positive)
@settings(max_examples=100, deadline=None)
def test_zero_for_equals_and_for_multiples_in_the_relative_form(a: np.ndarray, factor: float) -> None:
    assert distance(a, a) == pytest.approx(0, abs=1e-12)
    assert distance(a, a, 1e-8) == pytest.approx(0, abs=1e-12)
    assert distance(a, factor * a) == pytest.approx(0, abs=1e-12)


@given(embeddings, embeddings, positive)
@settings(max_examples=100, deadline=None)
def test_relative_form_has_no_scale(a: np.ndarray, b: np.ndarray, factor: float) -> None:
    assert distance(factor * a, factor * b) == pytest.approx(distance(a, b), abs=1e-9)


def test_absolute_epsilon_acts_as_a_threshold() -> None:
    a, b = np.array([1e-3, 1e-12]), np.array([1e-3, 5e-12])
    assert distance(a, b) > 0.1
    assert distance(a, b, 1e-8) < 1e-6


def test_zeros_on_both_sides_drop_out() -> None:
    a, b = np.array([1.0, 2.0, 0.0, 3.0]), np.array([3.0, 1.0, 0.0, 0.0])
    assert distance(a, b) == pytest.approx(distance(a[[0, 1, 3]], b[[0, 1, 3]]))
    assert distance(np.zeros(3), np.zeros(3)) == 0
    assert distance(np.zeros(3), np.ones(3)) == 1


def test_released_formula() -> None:
    a, b = np.array([1.0, 2.0, 0.5]), np.array([3.0, 1.0, 0.7])
    assert distance(a, b, 1e-8) == pytest.approx(cosine(a / (a + b + 1e-8), b / (a + b + 1e-8)))


def sparse_embeddings(count: int, size: int, seed: int) -> np.ndarray:
    """Spread over many orders of magnitude, with zeros, as token rows are."""
    generator = np.random.default_rng(seed)
    values = generator.lognormal(-14, 4, (count, size))
    return (values * (generator.random((count, size)) < 0.7)).astype(np.float32)


@pytest.mark.parametrize("epsilon", [None, 1e-8])
@pytest.mark.parametrize("size", [5, 1024, 3000])
def test_matrix_agrees_with_pairs(epsilon: float | None, size: int) -> None:
    A, B = sparse_embeddings(11, size, 0), sparse_embeddings(9, size, 1)
    A[4] = 0
    B[2] = 0
    expected = np.array([[distance(a, b, epsilon) for b in B] for a in A])
    np.testing.assert_allclose(distance_matrix(A, B, epsilon), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        distance_matrix(torch.from_numpy(A), torch.from_numpy(B), epsilon), expected, rtol=0, atol=1e-6
    )
    itself = np.array([[distance(a, b, epsilon) for b in A] for a in A])
    np.testing.assert_allclose(distance_matrix(A, A, epsilon), itself, rtol=0, atol=1e-6)


def test_double_precision_is_kept() -> None:
    A = sparse_embeddings(3, 100, 0).astype(np.float64)
    expected = np.array([[distance(a, b) for b in A] for a in A])
    np.testing.assert_allclose(distance_matrix(A, A), expected, rtol=0, atol=1e-13)


def test_matrix_refuses_other_lengths() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        distance_matrix(np.ones((2, 3)), np.ones((2, 4)))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.tokens.batches import batch_indices


@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 30), st.integers(0, 5))
def test_disjoint_batches_share_no_row(batches, rows, spare, seed):
    drawn = batch_indices(batches * rows + spare, batches, rows, seed)
    together = np.concatenate(drawn)
    assert len(set(together.tolist())) == batches * rows
    assert together.max() < batches * rows + spare


def test_more_batches_keep_the_first_ones():
    few, many = batch_indices(100, 3, 10, seed=4), batch_indices(100, 8, 10, seed=4)
    for one, other in zip(few, many, strict=False):
        np.testing.assert_array_equal(one, other)


def test_same_sampling_repeats_the_rows_as_released():
    first, *others = batch_indices(10, 5, 10, seed=0, disjoint=False)
    assert all((batch == first).all() for batch in others)


def test_too_small_a_set_is_refused_with_the_numbers():
    with pytest.raises(ValueError, match="8 batches of 32 rows need 256 rows, and the set has 255"):
        batch_indices(255, 8, 32, seed=0)

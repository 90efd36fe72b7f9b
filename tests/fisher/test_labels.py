"""Drawn labels: the right law, and a function of (seed, row id, position, draw) alone."""

import numpy as np
import pytest
import torch

from workflow_scripts.fisher.labels import content_row_ids, draw_labels, uniforms


@pytest.mark.parametrize("vocabulary", [1, 5, 63, 64, 65, 200])
def test_inverse_of_the_running_sum(vocabulary: int) -> None:
    generator = np.random.default_rng(vocabulary)
    p = generator.dirichlet(np.full(vocabulary, 0.1), size=40)
    u = generator.random((40, 3))
    expected = [
        [int(np.searchsorted(row.cumsum(), x * row.sum(), side="right")) for x in xs]
        for row, xs in zip(p, u, strict=True)
    ]
    assert draw_labels(torch.from_numpy(p), torch.from_numpy(u)).tolist() == expected


def test_ends_of_the_unit_interval_draw_labels_that_have_a_probability() -> None:
    p = torch.zeros(2, 130)
    p[:, 70] = 0.25
    p[:, 100] = 0.75
    u = torch.tensor([[0.0, 1 - 2.0**-53, 0.2], [0.3, 1.0, 0.1]], dtype=torch.float64)
    assert draw_labels(p, u).tolist() == [[70, 100, 70], [100, 100, 70]]


def test_frequencies_follow_the_probabilities() -> None:
    p = torch.tensor([[0.1, 0.0, 0.6, 0.3]])
    u = torch.from_numpy(uniforms(["row"], 1, 20_000, seed=0)[0])
    counts = torch.bincount(draw_labels(p, u)[0], minlength=4) / 20_000
    assert counts[1] == 0
    torch.testing.assert_close(counts, p[0], atol=0.015, rtol=0)


def test_uniforms_know_neither_order_nor_length_nor_company() -> None:
    all_rows = uniforms(["a", "b", "c"], 6, 2, seed=3)
    np.testing.assert_array_equal(uniforms(["c", "a"], 4, 2, seed=3), all_rows[[2, 0], :4])
    np.testing.assert_array_equal(uniforms(["b"], 6, 1, seed=3)[0, :, 0], all_rows[1, :, 0])
    assert len(np.unique(all_rows)) == all_rows.size
    assert not np.isin(uniforms(["a"], 6, 1, seed=4), all_rows).any()


def test_rows_without_ids_go_by_their_tokens() -> None:
    ids = torch.tensor([[1, 2, 0], [1, 2, 5], [1, 2, 7]])
    real = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 1, 0]]).bool()
    first, second, third = content_row_ids(ids, real)
    assert len({first, second, third}) == 3  # the third row is equal to the first, and told apart
    assert content_row_ids(ids[[1, 0]], real[[1, 0]]) == [second, first]

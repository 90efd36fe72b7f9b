"""Rows on disk: some of them, without their names, in portions."""

import numpy as np
import pytest

from workflow_scripts.tokens import rows as rows_module
from workflow_scripts.tokens.rows import (
    Rows,
    count_documents,
    count_rows,
    count_tokens,
    read_rows,
    read_tokens,
    row_portions,
    split_rows,
    write_row_portions,
)


@pytest.fixture
def made():
    random = np.random.default_rng(0)
    n_tokens = random.integers(1, 9, 50).astype(np.int32)
    return Rows(
        [f"x.train/{n}" for n in range(50)],
        [[f"d{n // 3}", f"d{n // 3 + 1}"] for n in range(50)],
        random.integers(0, 99, (50, 8)).astype(np.int32),
        n_tokens,
        random.random((50, 8)) < 0.5,
    )


@pytest.fixture
def path(made, tmp_path):
    """The rows in row groups of 7."""
    path = tmp_path / "rows.parquet"
    cuts = [np.arange(at, min(at + 7, 50)) for at in range(0, 50, 7)]
    assert write_row_portions((made.take(cut) for cut in cuts), path) == (50, made.n_tokens.sum())
    return path


def check_same(found: Rows, expected: Rows, names: bool = True) -> None:
    if names:
        assert (found.row_ids, found.doc_ids) == (expected.row_ids, expected.doc_ids)
    for field in ("input_ids", "n_tokens", "loss_mask"):
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))
        assert getattr(found, field).dtype == getattr(expected, field).dtype


@pytest.mark.parametrize("index", [[], [49], [3, 3, 0], [20, 6, 7, 48, 1, 13, 14], list(range(50))])
def test_rows_at_an_index_are_those_taken_from_all(made, path, index):
    check_same(read_rows(path, np.array(index, dtype=np.int64)), made.take(np.array(index, dtype=np.int64)))


def test_a_row_beyond_the_table_is_a_bug(path):
    with pytest.raises(IndexError, match="50 rows, and row 50"):
        read_rows(path, np.array([0, 50]))


def test_all_rows_in_every_way(made, path, monkeypatch):
    check_same(read_rows(path), made)
    check_same(read_tokens(path), made, names=False)
    monkeypatch.setattr(rows_module, "_MOST_IN_MEMORY", 10)
    monkeypatch.setattr(rows_module, "_PORTION", 40)
    mapped = read_tokens(path)
    assert isinstance(mapped.input_ids, np.memmap)
    check_same(mapped, made, names=False)
    assert len(mapped) == 50
    assert [entry.name for entry in path.parent.iterdir()] == ["rows.parquet"]
    portions = list(row_portions(path))
    assert len(portions) == 10
    check_same(rows_module.joined(portions), made)


def test_counts(made, path, monkeypatch):
    assert (count_rows(path), count_tokens(path)) == (50, made.n_tokens.sum())
    assert count_documents(path) == 18
    monkeypatch.setattr(rows_module, "_NAMES", 4)
    assert count_documents(path) == 18


def test_batches_read_together_are_parted_again(made, path):
    indices = [np.array([5, 2, 30]), np.array([9, 49, 11])]
    for found, index in zip(
        split_rows(read_rows(path, np.concatenate(indices)), indices), indices, strict=True
    ):
        check_same(found, made.take(index))

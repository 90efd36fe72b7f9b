import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.tokens import layouts
from workflow_scripts.tokens import rows as rows_module
from workflow_scripts.tokens.mixture import mix, mix_files, random_rows
from workflow_scripts.tokens.rows import Rows, joined, write_rows


def rows(name, count, length=4, n_tokens=None):
    lengths = np.full(count, length) if n_tokens is None else np.array(n_tokens)
    ids = np.arange(count * length).reshape(count, length)
    return Rows(
        [f"{name}/{i}" for i in range(count)],
        [[f"{name}{i}"] for i in range(count)],
        ids.astype(np.int32),
        lengths.astype(np.int32),
        np.ones((count, length), dtype=bool),
    )


@given(st.integers(1, 99))
def test_every_prefix_has_its_share_within_one_row(percent):
    mixed = mix([rows("a", 200), rows("b", 200)], [percent / 100, 1 - percent / 100])
    from_a = np.cumsum([row_id.startswith("a") for row_id in mixed.row_ids])
    wanted = percent / 100 * np.arange(1, len(mixed) + 1)
    assert np.abs(from_a - wanted).max() <= 1
    a_ids = [row_id for row_id in mixed.row_ids if row_id.startswith("a")]
    assert a_ids == [f"a/{i}" for i in range(len(a_ids))]


def test_shares_are_of_real_tokens():
    short, long = rows("short", 300, n_tokens=[1] * 300), rows("long", 100)
    mixed = mix([short, long], [0.5, 0.5])
    tokens = {
        name: sum(
            int(n) for row_id, n in zip(mixed.row_ids, mixed.n_tokens, strict=True) if row_id.startswith(name)
        )
        for name in ("short", "long")
    }
    assert abs(tokens["short"] - tokens["long"]) <= 4


def test_units_stay_together():
    mixed = mix([rows("a", 40), rows("b", 40)], [0.25, 0.75], unit=4)
    sources = [row_id[0] for row_id in mixed.row_ids]
    assert all(len(set(sources[i : i + 4])) == 1 for i in range(0, len(sources), 4))


def test_a_share_of_zero_gives_nothing_and_bad_shares_are_refused():
    assert {row_id[0] for row_id in mix([rows("a", 8), rows("b", 8)], [0, 1]).row_ids} == {"b"}
    with pytest.raises(ValueError, match="summing to 1"):
        mix([rows("a", 8), rows("b", 8)], [0.5, 0.6])


@pytest.mark.parametrize("unit", [1, 2])
def test_a_mixture_of_files_is_that_of_their_rows(monkeypatch, tmp_path, unit):
    sets = [rows("a", 90), rows("b", 70, n_tokens=[1, 2, 3, 4, 2] * 14), rows("c", 50)]
    paths = [tmp_path / f"{number}.parquet" for number in range(3)]
    for one, path in zip(sets, paths, strict=True):
        write_rows(one, path)
    monkeypatch.setattr(rows_module, "_PORTION", 28)
    monkeypatch.setattr(layouts, "_ROWS", 6)
    expected = mix(sets, [0.5, 0.2, 0.3], unit)
    portions = list(mix_files(paths, [0.5, 0.2, 0.3], unit))
    assert len(portions) > 10
    found = joined(portions)
    assert found.row_ids == expected.row_ids
    assert found.doc_ids == expected.doc_ids
    np.testing.assert_array_equal(found.input_ids, expected.input_ids)
    np.testing.assert_array_equal(found.n_tokens, expected.n_tokens)


def test_random_rows_cover_the_vocabulary_without_the_excluded():
    drawn = random_rows(400, 16, 40, {0, 7}, seed=1, row_prefix="r.train")
    counts = np.bincount(drawn.input_ids.reshape(-1), minlength=40)
    assert counts[0] == counts[7] == 0
    allowed = np.delete(counts, [0, 7])
    assert np.abs(allowed / allowed.mean() - 1).max() < 0.35
    assert (random_rows(400, 16, 40, {0, 7}, seed=1, row_prefix="r.train").input_ids == drawn.input_ids).all()
    assert (random_rows(400, 16, 40, {0, 7}, seed=2, row_prefix="r.train").input_ids != drawn.input_ids).any()

"""The best rows of a stream, and which of them are copies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.corpora.near_duplicates import near_duplicates
from workflow_scripts.pool import near_copies
from workflow_scripts.pool.best_rows import FIELDS, BestRows, best, portions_by_bytes
from workflow_scripts.pool.near_copies import NearCopies
from workflow_scripts.pool.spill import Spill, pack, portions_of, unpack
from workflow_scripts.texts.words import find_words

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=60)


def indexed(rows):
    """Of (text, bytes); the score follows from the text."""
    index = np.zeros(len(rows), dtype=FIELDS)
    index["text"] = [10 * text + size for text, size in rows]
    index["score"] = np.array([text for text, _ in rows]) % 3
    index["row"] = np.arange(len(rows))
    index["bytes"] = [size for _, size in rows]
    index["copies"] = 1
    return index


def by_hand(rows, limit):
    kept, held = {}, 0
    order = sorted(enumerate(rows), key=lambda item: (-(item[1][0] % 3), item[1], item[0]))
    for number, (text, size) in order:
        if (text, size) in kept:
            kept[text, size][1] += 1
        elif held < limit:
            kept[text, size] = [number, 1]
            held += size
    return [tuple(one) for one in kept.values()]


@settings(max_examples=30)
@given(ROWS, st.integers(1, 30), st.integers(1, 4), st.randoms())
def test_the_best_rows_do_not_depend_on_who_read_them(tmp_path_factory, rows, limit, parts, draw):
    folder = tmp_path_factory.mktemp("kept")
    index = indexed(rows)
    order = draw.sample(range(len(rows)), len(rows))
    kept = []
    for number in range(parts):
        (folder / str(number)).mkdir()
        one = BestRows(limit, folder / str(number), least_held=1)
        for place in order[number::parts]:
            row = index[place : place + 1].copy()
            if row["score"][0] >= one.threshold:
                one.add(row, [pack(("row", place))])
        found, path = one.finish()
        lines = dict(line for portion in portions_of(path) for line in portion) if path else {}
        assert [unpack(lines[key])[1] for key in found["key"].tolist()] == found["row"].tolist()
        kept.append(found)
    together, _ = best(np.concatenate(kept), limit)
    expected = by_hand(rows, limit)
    assert list(zip(together["row"].tolist(), together["copies"].tolist(), strict=True)) == expected


def test_what_is_held_is_bounded(tmp_path):
    kept = BestRows(1000, tmp_path, least_held=500)
    draws = np.random.default_rng(0)
    for number in range(3000):
        row = indexed([(number, 10)])
        row["score"] = draws.random()
        if row["score"][0] >= kept.threshold:
            kept.add(row, [b"x" * 100])
        assert len(list(tmp_path.iterdir())) <= 1
    index, path = kept.finish()
    assert kept.is_cut and kept.threshold > 0.9
    assert 1000 <= index["bytes"].sum() <= 2010 and path.stat().st_size < 300_000


def test_the_best_rows_of_few_are_all_of_them():
    index, is_cut = best(indexed([(1, 5), (2, 5)]), 10)
    assert index["row"].tolist() == [1, 0] and not is_cut
    assert best(indexed([(1, 5), (2, 5)]), 5)[1]


def test_a_spill_gives_back_what_it_got(tmp_path):
    spill = Spill(tmp_path / "rows.parquet", portion_bytes=50)
    rows = {
        number: {"text": "x" * number, "when": np.datetime64("2020-01-01"), "raw": b"\0"}
        for number in range(20)
    }
    for key, row in rows.items():
        spill.add(key, pack(row))
    spill.close()
    portions = list(spill.portions())
    assert len(portions) > 5
    assert {key: unpack(packed) for portion in portions for key, packed in portion} == rows
    assert list(Spill(tmp_path / "none.parquet").portions()) == []


@given(st.lists(st.integers(0, 20)), st.integers(1, 30))
def test_portions_by_bytes_are_of_that_size(sizes, most):
    portions = list(portions_by_bytes(np.array(sizes, dtype=np.int64), most))
    assert [size for portion in portions for size in sizes[portion]] == sizes
    assert all(portion.stop - portion.start == 1 or sum(sizes[portion]) <= most for portion in portions)


def words(first, count):
    return " ".join(f"w{number}" for number in range(first, first + count))


def kept(*texts, most_bits=20):
    return NearCopies(most_bits).keep(find_words([text.encode() for text in texts])).tolist()


@pytest.mark.parametrize(
    ("shared", "is_kept"),
    [(14, True), (15, False)],  # of 21 5-grams 10 or 11
)
def test_half_of_the_5_grams_in_one_better_row_are_a_copy(shared, is_kept):
    assert kept(words(0, 60), f"{words(0, shared)} {words(900, 25 - shared)}") == [True, is_kept]


def test_half_of_the_5_grams_in_two_better_rows_are_none():
    assert (
        kept(words(0, 12), words(100, 12), f"{words(0, 12)} {words(100, 12)} {words(500, 8)}") == [True] * 3
    )


def test_a_row_made_of_two_better_ones_is_a_copy():
    assert kept(words(0, 80), words(100, 80), f"{words(0, 80)} {words(100, 80)}") == [True, True, False]


def test_a_short_row_is_a_copy_as_a_whole_only():
    texts = [words(0, 20), words(0, 11), f"{words(0, 10)} x", "w0 w1", "W0  w1"]
    assert kept(*texts) == [True, False, True, True, False]


def test_a_copy_of_a_copy_that_went_may_stay():
    first, second, third = words(0, 40), words(18, 40), words(36, 40)
    assert kept(first, second, third) == [True, False, True]


def test_batches_and_growth_change_nothing():
    draws = np.random.default_rng(1)
    texts = []
    for number in range(400):
        text = words(int(draws.integers(0, 40_000)), int(draws.integers(4, 60)))
        texts += [text, f"{text} {words(10**6 + 100 * number, int(draws.integers(1, 70)))}"]
    encoded = [text.encode() for text in texts]
    small = NearCopies(20)
    small._bits = 2
    small._keys, small._owners = near_copies._empty(2)
    one_by_one = [bool(small.keep(find_words([text]))[0]) for text in encoded]
    assert one_by_one == kept(*texts) and 200 < sum(one_by_one) < 700
    assert small.sampled_share == 1


def test_a_full_table_looks_at_a_sample():
    copies = NearCopies(12)
    texts = [words(1000 * number, 200).encode() for number in range(120)]
    assert copies.keep(find_words(texts)).all()
    assert copies.sampled_share < 0.25
    again = copies.keep(find_words([text + b" more" for text in texts]))
    assert again.mean() < 0.05
    assert copies.keep(find_words([words(10**6 + 1000 * n, 60).encode() for n in range(100)])).all()


def test_copies_of_one_row_are_those_of_the_rule_for_corpora():
    draws = np.random.default_rng(2)
    first = words(0, 200)
    others = [
        f"{words(int(draws.integers(0, 150)), 40)} {words(1000, int(draws.integers(1, 80)))}"
        for _ in range(50)
    ]
    expected = near_duplicates(others, [first])
    found = [not kept(first, other)[1] for other in others]
    assert found == expected.tolist() and 0 < sum(found) < 50

"""Rows that repeat the target, how much of it occurs, and rows that repeat each other."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.pool import leaks, repeats
from workflow_scripts.pool.leaks import FEWEST_SHINGLES, LeakFinder
from workflow_scripts.pool.overlap import Overlap
from workflow_scripts.pool.repeats import RepeatCounter
from workflow_scripts.texts.hash_filter import HashFilter
from workflow_scripts.texts.words import find_words

TEXTS = st.lists(st.text("ab ", max_size=60).map(str.strip), min_size=1, max_size=6)


def hashed(*texts):
    return find_words([text.encode() for text in texts])


def grams(text, order):
    words = text.split()
    return {tuple(words[start : start + order]) for start in range(len(words) - order + 1)}


def leaks_by_hand(texts, targets):
    found = []
    for text, row in ((text, row) for text in range(len(texts)) for row in range(len(targets))):
        wanted = grams(targets[row], 5)
        needed = len(wanted) if len(wanted) < FEWEST_SHINGLES else math.ceil(len(wanted) / 2)
        is_equal = texts[text].split() == targets[row].split() and targets[row]
        if is_equal or (wanted and len(wanted & grams(texts[text], 5)) >= needed):
            found.append((text, row))
    return found


@given(TEXTS, TEXTS)
def test_leaks_are_those_found_by_hand(texts, targets):
    assert LeakFinder(hashed(*targets)).pairs(hashed(*texts)) == leaks_by_hand(texts, targets)


def test_leaks_in_portions_are_the_same(monkeypatch):
    targets = [" ".join(str(number % 7 + row) for number in range(40)) for row in range(20)]
    whole = LeakFinder(hashed(*targets)).pairs(hashed(*targets))
    monkeypatch.setattr(leaks, "_MOST_PAIRS", 3)
    assert LeakFinder(hashed(*targets)).pairs(hashed(*targets)) == whole == leaks_by_hand(targets, targets)


def words(first, count):
    return " ".join(f"w{number}" for number in range(first, first + count))


@pytest.mark.parametrize(
    ("shared", "is_leak"),
    [(11, False), (12, True)],  # of 15 5-grams 7 or 8
)
def test_half_of_the_5_grams_in_one_row_are_a_leak(shared, is_leak):
    finder = LeakFinder(hashed(words(0, 19)))
    assert finder.pairs(hashed(f"{words(500, 30)} {words(0, shared)} {words(900, 30)}")) == [(0, 0)] * is_leak


def test_half_in_two_rows_is_no_leak():
    assert LeakFinder(hashed(words(0, 19))).pairs(hashed(words(0, 9), words(10, 9))) == []


def test_a_short_target_row_leaks_as_a_whole_only():
    finder = LeakFinder(hashed(words(0, 8), "yes"))
    assert finder.pairs(hashed(words(0, 7), f"said {words(0, 8)} again", "yes or no", "Yes")) == [
        (1, 0),
        (3, 1),
    ]


@given(st.lists(TEXTS, max_size=4), TEXTS)
def test_overlap_is_that_counted_by_hand(batches, targets):
    overlap = Overlap(hashed(*targets))
    for batch in batches:
        overlap.add(hashed(*batch))
    for order in (1, 2, 3):
        wanted = set().union(*(grams(text, order) for text in targets))
        seen = set().union(*(grams(text, order) for batch in batches for text in batch))
        expected = len(wanted & seen) / len(wanted) if wanted else 0.0
        assert overlap.shares()[str(order)] == pytest.approx(expected)


@given(st.sets(st.integers(0, 2**64 - 1)), st.lists(st.integers(0, 2**64 - 1)))
def test_a_filter_finds_all_members_and_nothing_else(members, others):
    ordered = np.array(sorted(members), dtype=np.uint64)
    asked = np.array([*others, *members], dtype=np.uint64)
    places, numbers = HashFilter(ordered).find(asked)
    assert places.tolist() == [place for place, value in enumerate(asked.tolist()) if value in members]
    assert (ordered[numbers] == asked[places]).all()


def hashes(rng, count):
    return rng.integers(0, 2**64, count, dtype=np.uint64)


def test_repeats_are_counted_across_portions():
    counter = RepeatCounter(buffered=10)
    different = hashes(np.random.default_rng(0), 100)
    for portion in np.array_split(np.concatenate([different, different[:30], different[:5]]), 9):
        counter.add(portion)
    assert counter.repeats() == (35, True)


def test_repeats_are_estimated_when_there_are_too_many_rows():
    rng = np.random.default_rng(1)
    different = hashes(rng, 200_000)
    counter = RepeatCounter(most=20_000, buffered=10_000)
    for portion in np.array_split(rng.permutation(np.concatenate([different, different[:60_000]])), 50):
        counter.add(portion)
        assert len(counter._kept) <= 20_000
    estimated, is_exact = counter.repeats()
    assert not is_exact and estimated == pytest.approx(60_000, rel=0.06)


def test_no_repeats_are_none_whatever_the_number_of_rows():
    counter = RepeatCounter(most=1_000, buffered=500)
    counter.add(hashes(np.random.default_rng(2), 50_000))
    assert counter.repeats() == (0, False)
    assert repeats.MOST_KEPT * 16 < 200e6  # bytes

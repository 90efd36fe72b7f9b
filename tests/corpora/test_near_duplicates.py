"""Near-duplicates by shared word 5-grams."""

import random
import time
import tracemalloc
from collections.abc import Callable

import pytest

from workflow_scripts.corpora import near_duplicates as near_duplicates_module
from workflow_scripts.corpora.near_duplicates import NearDuplicates, near_duplicates

WORDS = [f"word{number}" for number in range(2000)]


def sentence(seed: int, length: int = 60) -> list[str]:
    return random.Random(seed).choices(WORDS, k=length)


def test_half_of_the_shingles_decides():
    known = sentence(1)
    # 56 shingles in 60 words; the first 32 words share 28 of them, the first 31 share 27.
    at_half = " ".join(known[:32] + sentence(2, 28))
    below = " ".join(known[:31] + sentence(2, 29))
    found = near_duplicates([at_half, below, " ".join(sentence(3))], [" ".join(known)])
    assert found.tolist() == [True, False, False]


def test_case_and_spacing_do_not_matter_and_order_does():
    known = sentence(4)
    shouted = "  ".join(known).upper()
    backwards = " ".join(reversed(known))
    assert near_duplicates([shouted, backwards], [" ".join(known)]).tolist() == [True, False]


def test_shingles_do_not_reach_over_the_ends_of_documents():
    words = sentence(5, 8)
    assert near_duplicates([" ".join(words)], [" ".join(words[:4]), " ".join(words[4:])]).tolist() == [False]


def test_texts_shorter_than_a_shingle_count_as_one():
    assert near_duplicates(["a b c", "a b d"], ["a b c"]).tolist() == [True, False]
    assert near_duplicates(["", "a"], ["b"]).tolist() == [False, False]
    assert near_duplicates(["a"], []).tolist() == [False]


@pytest.mark.parametrize("most", [500, 2000])
def test_a_sample_of_the_shingles_decides_alike_on_clear_cases(most):
    known = [" ".join(sentence(number, 200)) for number in range(20)]
    # Nine tenths are known, a tenth is known, nothing is known.
    nearly = [f"{text} {' '.join(sentence(500 + at, 20))}" for at, text in enumerate(known)]
    hardly = [" ".join(sentence(at, 20) + sentence(600 + at, 180)) for at in range(20)]
    strange = [" ".join(sentence(700 + at, 200)) for at in range(20)]
    finder = NearDuplicates([*nearly, *hardly, *strange], most=most)
    found = finder.of(known)
    assert len(finder._filter.members) <= most
    assert found[:20].mean() > 0.8
    assert not found[20:].any()


def quickest(work: Callable[[], object]) -> float:
    """Seconds of the processor, the least of three, which other work on the machine disturbs least."""
    spent = []
    for _ in range(3):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def test_the_cost_grows_with_the_text_and_not_with_the_pairs():
    texts = [" ".join(sentence(seed, 100)) for seed in range(3000)]

    def make_shingles():
        for text in texts:
            words = text.split()
            {tuple(words[at : at + 5]) for at in range(len(words) - 4)}

    # Twice as long as sets of tuples take to make; comparing them pair by pair takes 13 times as long as making them.
    assert quickest(lambda: near_duplicates(texts[:300], texts[300:])) < 7 * quickest(make_shingles)


def test_portions_change_no_decision(monkeypatch):
    known = [" ".join(sentence(number)) for number in range(20)]
    candidates = [
        *known[:3],
        "",
        " ".join(sentence(99)),
        "two words",
        f"{known[4]} {' '.join(sentence(98, 30))}",
    ]
    expected = [True, True, True, False, False, False, True]
    for size in (1, 500, 1 << 20):
        monkeypatch.setattr(near_duplicates_module, "_PORTION", size)
        assert near_duplicates(candidates, iter(known)).tolist() == expected
        assert near_duplicates(candidates, iter([])).tolist() == [False] * len(candidates)


def test_memory_does_not_grow_with_the_collection(monkeypatch):
    candidates = [" ".join(sentence(number)) for number in range(10)]

    monkeypatch.setattr(near_duplicates_module, "_PORTION", 1 << 18)

    def peak(count: int) -> int:
        tracemalloc.start()
        near_duplicates(candidates, (" ".join(sentence(number)) for number in range(count)))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(12_000) < 1.5 * peak(
        4_000
    )  # 2 and 6 MB of text, of which a quarter of one is in memory at a time

"""Modified Kneser-Ney against figures made by hand and against a slow one written with dictionaries."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from workflow_scripts.ngrams.kneser_ney import (
    USUAL_DISCOUNTS,
    KneserNey,
    counted,
    fit,
    ngrams,
    probabilities,
)


def newest(model: KneserNey, row: list[int] | tuple[int, ...]) -> float:
    """p(last token of the row | the tokens before it)."""
    return float(np.exp(model.log_probabilities([np.array(row)])[0][-1]))


def skewed_rows(seed: int, vocabulary: int) -> list[np.ndarray]:
    """Of 1 to 60 tokens, skewed, so that n-grams of every count from one to four occur."""
    random = np.random.default_rng(seed)
    return [random.zipf(1.6, length).clip(max=vocabulary) - 1 for length in (60, 60, 1, 60, 3, 60, 40)]


def test_bigrams_of_six_tokens_by_hand() -> None:
    """0 1 0 1 0 2: the bigrams 01 and 10 twice, 02 once; each token was seen after one other token.

    No bigram occurs three times, so the discounts are 1/2 and 1. Unigrams: (1 - 1/2) / 3 + 1/2 x 1/3 = 1/3 each.
    After 0, with 3 bigrams, 1/2 + 1 is kept back: p(1) = (2 - 1) / 3 + 1/2 x 1/3, p(2) = (1 - 1/2) / 3 + 1/6,
    p(0) = 1/6. After 1, with 2 bigrams, 1 is kept back: p(0) = (2 - 1) / 2 + 1/2 x 1/3.
    """
    model = KneserNey([np.array([0, 1, 0, 1, 0, 2])], 3, order=2)
    expected = {
        (0,): 1 / 3,
        (1,): 1 / 3,
        (2,): 1 / 3,
        (0, 1): 1 / 2,
        (0, 2): 1 / 3,
        (0, 0): 1 / 6,
        (1, 0): 2 / 3,
        (2, 1): 1 / 3,  # nothing was seen after 2: the unigrams decide
    }
    assert {row: newest(model, row) for row in expected} == pytest.approx(expected)


def slow_probability(
    rows: list[list[int]], vocabulary: int, order: int, history: list[int], token: int
) -> float:
    """The same definition, n-gram by n-gram."""
    grams = {
        n: Counter(tuple(row[i : i + n]) for row in rows for i in range(len(row) - n + 1))
        for n in range(1, order + 1)
    }
    p = 1 / vocabulary
    for n in range(1, order + 1):
        counts: dict[tuple[int, ...], int] = grams[n] if n == order else defaultdict(int)
        if n < order:
            for gram in grams[n + 1]:
                counts[gram[1:]] += 1
        of = Counter(counts.values())
        once, twice, thrice, four = (of[times] for times in (1, 2, 3, 4))
        discounts = [0.0, *USUAL_DISCOUNTS]
        if once and twice and thrice:
            y = once / (once + 2 * twice)
            estimated = [1 - 2 * y * twice / once, 2 - 3 * y * thrice / twice, 3 - 4 * y * four / thrice]
            if min(estimated) > 0:
                discounts = [0.0, *estimated]
        if n > len(history) + 1:
            break
        before = tuple(history[len(history) - n + 1 :])
        after = {gram[-1]: count for gram, count in counts.items() if gram[:-1] == before}
        if not after:
            continue
        kept = sum(discounts[min(count, 3)] for count in after.values())
        count = after.get(token, 0)
        p = (count - discounts[min(count, 3)] + kept * p) / sum(after.values())
    return p


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_it_is_what_a_slow_one_says_and_sums_to_one(order: int) -> None:
    vocabulary = 7
    rows = skewed_rows(order, vocabulary)
    model = KneserNey(rows, vocabulary, order)
    lists = [row.tolist() for row in rows]
    held_out = skewed_rows(order + 10, vocabulary)[0][:25].tolist()
    slow = [
        slow_probability(lists, vocabulary, order, held_out[:t], token) for t, token in enumerate(held_out)
    ]
    np.testing.assert_allclose(np.exp(model.log_probabilities([np.array(held_out)])[0]), slow, rtol=1e-10)
    for t in range(6):
        assert sum(newest(model, [*held_out[:t], token]) for token in range(vocabulary)) == pytest.approx(1)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_two_ways_say_the_same_where_no_ngram_is_at_the_start_of_rows_only(order: int) -> None:
    vocabulary = 30
    rows = skewed_rows(order, vocabulary)
    rows.append(np.concatenate([np.zeros(order + 1, dtype=np.int64), *rows]))
    read = skewed_rows(order + 10, vocabulary)
    found = np.concatenate(KneserNey(rows, vocabulary, order).log_probabilities(read))
    model = fit(*counted([coded(rows, order, vocabulary)]), order, vocabulary)
    of_codes = probabilities(model, coded(read, order, vocabulary), order, vocabulary)
    np.testing.assert_allclose(np.exp(found), of_codes, rtol=1e-12)


def coded(rows: list[np.ndarray], order: int, vocabulary: int) -> np.ndarray:
    padded = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for line, row in zip(padded, rows, strict=True):
        line[: len(row)] = row
    return ngrams(padded, np.array([len(row) for row in rows]), order, vocabulary)


def test_rows_are_read_apart() -> None:
    """What one row ends with is no history of the next one's first token, in counting and in reading."""
    rows = [np.array([1, 2, 3]), np.array([4, 2, 5, 1, 2])]
    model = KneserNey(rows, 6, order=3)
    together = model.log_probabilities(rows)
    for row, found in zip(rows, together, strict=True):
        np.testing.assert_array_equal(found, model.log_probabilities([row])[0])
    joined = KneserNey([np.concatenate(rows)], 6, order=3)
    assert newest(joined, [2, 3, 4]) > 2 * newest(model, [2, 3, 4])


def test_tokens_and_histories_that_were_never_seen_have_a_probability() -> None:
    model = KneserNey([np.array([1, 2, 1, 2, 3])], 100, order=4)
    (found,) = model.log_probabilities([np.array([50, 60, 1, 2, 99])])
    assert np.isfinite(found).all()
    assert found[3] > found[4]


def test_an_order_that_no_row_is_long_enough_for_is_left_out() -> None:
    rows = [np.array([1, 2]), np.array([1, 3]), np.zeros(0, dtype=np.int64)]
    expected = KneserNey(rows, 5, order=2).log_probabilities(rows)
    found = KneserNey(rows, 5, order=5).log_probabilities(rows)
    assert [row.tolist() for row in found] == [row.tolist() for row in expected]
    with pytest.raises(ValueError, match="no tokens to count"):
        KneserNey([np.zeros(0, dtype=np.int64)], 5, order=2)


def test_large_vocabularies_do_not_overflow() -> None:
    """Five tokens of a vocabulary of 128,256 have more than 63 bits."""
    size = 128_256
    row = np.array([size - 1, size - 2, size - 3, size - 4, size - 5, size - 6] * 3)
    small = KneserNey([size - 1 - row], size, order=5).log_probabilities([size - 1 - row])
    np.testing.assert_array_equal(KneserNey([row], size, order=5).log_probabilities([row])[0], small[0])

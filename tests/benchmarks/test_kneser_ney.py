"""Modified Kneser-Ney against figures made by hand and against a slow one written with dictionaries."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from benchmarks.kneser_ney import FALLBACK, KneserNey


def test_bigrams_of_six_tokens_by_hand() -> None:
    """0 1 0 1 0 2: the bigrams 01 and 10 twice, 02 once; each token was seen after one other token.

    No bigram occurs three times, so the discounts are 1/2 and 1. Unigrams: (1 - 1/2) / 3 + 1/2 x 1/3 = 1/3 each.
    After 0, with 3 bigrams, 1/2 + 1 is kept back: p(1) = (2 - 1) / 3 + 1/2 x 1/3, p(2) = (1 - 1/2) / 3 + 1/6,
    p(0) = 1/6. After 1, with 2 bigrams, 1 is kept back: p(0) = (2 - 1) / 2 + 1/2 x 1/3.
    """
    model = KneserNey([np.array([0, 1, 0, 1, 0, 2])], vocabulary=3, order=2)
    found = {
        row: float(np.exp(model.log_probabilities(np.array(row))[-1]))
        for row in [(0,), (1,), (2,), (0, 1), (0, 2), (0, 0), (1, 0), (2, 1)]
    }
    expected = {
        (0,): 1 / 3,
        (1,): 1 / 3,
        (2,): 1 / 3,
        (0, 1): 1 / 2,
        (0, 2): 1 / 3,
        (0, 0): 1 / 6,
        (1, 0): 2 / 3,
    }
    # Nothing was seen after 2: the unigrams decide.
    assert found == pytest.approx(expected | {(2, 1): 1 / 3})


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
        discounts = [0.0, *FALLBACK]
        if once and twice and thrice and four:
            y = once / (once + 2 * twice)
            estimated = [1 - 2 * y * twice / once, 2 - 3 * y * thrice / twice, 3 - 4 * y * four / thrice]
            if all(0 <= d <= i for i, d in enumerate(estimated, 1)):
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
    random = np.random.default_rng(order)
    vocabulary = 7
    # Skewed, so that n-grams of every count from one to four occur.
    rows = [random.zipf(1.6, 60).clip(max=vocabulary) - 1 for _ in range(8)]
    model = KneserNey(rows, vocabulary, order)
    lists = [row.tolist() for row in rows]
    held_out = (random.zipf(1.6, 25).clip(max=vocabulary) - 1).tolist()
    slow = [
        slow_probability(lists, vocabulary, order, held_out[:t], token) for t, token in enumerate(held_out)
    ]
    np.testing.assert_allclose(np.exp(model.log_probabilities(np.array(held_out))), slow, rtol=1e-10)
    for t in range(6):
        whole = sum(
            float(np.exp(model.log_probabilities(np.array([*held_out[:t], token]))[-1]))
            for token in range(vocabulary)
        )
        assert whole == pytest.approx(1)


def test_tokens_and_histories_that_were_never_seen_have_a_probability() -> None:
    model = KneserNey([np.array([1, 2, 1, 2, 3])], vocabulary=100, order=4)
    found = model.log_probabilities(np.array([50, 60, 1, 2, 99]))
    assert np.isfinite(found).all()
    assert found[3] > found[4]

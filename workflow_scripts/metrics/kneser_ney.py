"""Interpolated modified Kneser-Ney models over token ids: counted in portions, fitted and read as arrays.

An n-gram is one integer, its tokens the digits to the base of vocabulary + 1, the newest last. The digit that is no
token stands for the places before the first token of a row. References: Kneser and Ney, "Improved backing-off for
m-gram language modeling", ICASSP 1995; Chen and Goodman, "An empirical study of smoothing techniques for language
modeling", Computer Speech and Language 13 (1999).
"""

from collections.abc import Iterable

import numpy as np

from workflow_scripts.metrics.token_counts import looked_up

Model = dict[str, np.ndarray]
"""Of each order n, sorted: n-grams with what is left of their probability after the discount (`grams<n>`, `kept<n>`),
and histories with the weight of the next lower order (`histories<n>`, `backoff<n>`)."""

USUAL_DISCOUNTS = np.array([0.5, 1.0, 1.5])
"""Of n-grams seen once, twice, and more often, where there are too few rare ones to estimate them from."""


def ngrams(input_ids: np.ndarray, n_tokens: np.ndarray, order: int, vocabulary_size: int) -> np.ndarray:
    """The n-gram that ends at each real token."""
    is_real = np.arange(input_ids.shape[1])[None, :] < n_tokens[:, None]
    return ngrams_at(input_ids, is_real, order, vocabulary_size)


def ngrams_at(input_ids: np.ndarray, ends: np.ndarray, order: int, vocabulary_size: int) -> np.ndarray:
    """The n-gram that ends at each place where `ends` (rows, length) is true."""
    base = vocabulary_size + 1
    ids = np.pad(input_ids.astype(np.int64), ((0, 0), (order - 1, 0)), constant_values=base - 1)
    length = input_ids.shape[1]
    codes = np.zeros(input_ids.shape, dtype=np.int64)
    for start in range(order):
        codes = codes * base + ids[:, start : start + length]
    return codes[ends]


def counted(portions: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Different n-grams, sorted, and their counts. Memory: one portion, and 16 bytes per different n-gram, twice."""
    grams, counts = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    for portion in portions:
        new, new_counts = np.unique(portion, return_counts=True)
        merged = np.concatenate([grams, new])
        order = np.argsort(merged, kind="stable")  # linear, as both halves are sorted
        merged, summands = merged[order], np.concatenate([counts, new_counts])[order]
        first = np.flatnonzero(np.diff(merged, prepend=-1))
        grams, counts = merged[first], np.add.reduceat(summands, first)
    return grams, counts


def fit(grams: np.ndarray, counts: np.ndarray, order: int, vocabulary_size: int) -> Model:
    """A model of the n-grams that lie within a row.

    The highest order discounts counts; each lower one discounts the number of different tokens before an n-gram.
    The lowest is interpolated with the uniform distribution.
    """
    base = vocabulary_size + 1
    is_whole = grams // base ** (order - 1) != base - 1
    grams, counts = grams[is_whole], counts[is_whole]
    if not len(grams):
        raise ValueError(f"no row has as many as {order} tokens")
    model: Model = {}
    for n in range(order, 0, -1):
        histories, first = np.unique(grams // base, return_index=True)
        per_history = np.diff(np.append(first, len(grams)))
        totals = np.add.reduceat(counts, first)
        taken = _discounts(counts)[np.minimum(counts, 3) - 1]
        taken = np.minimum(taken, counts)
        model |= {
            f"grams{n}": grams,
            f"kept{n}": (counts - taken) / np.repeat(totals, per_history),
            f"histories{n}": histories,
            f"backoff{n}": np.add.reduceat(taken, first) / totals,
        }
        grams, counts = np.unique(grams % base ** (n - 1), return_counts=True)
    return model


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Chen and Goodman's three, from how many n-grams have counts of 1 to 4."""
    n1, n2, n3, n4 = (np.count_nonzero(counts == count) for count in (1, 2, 3, 4))
    if 0 in (n1, n2, n3):
        return USUAL_DISCOUNTS
    y = n1 / (n1 + 2 * n2)
    found = np.array([1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return found if (found > 0).all() else USUAL_DISCOUNTS


def probabilities(model: Model, wanted: np.ndarray, order: int, vocabulary_size: int) -> np.ndarray:
    """p(newest token | the others) of n-grams; tokens before the row's start are no history."""
    base = vocabulary_size + 1
    p = np.full(len(wanted), 1 / vocabulary_size)
    for n in range(1, order + 1):
        grams = wanted % base**n
        backoff = looked_up(model[f"histories{n}"], model[f"backoff{n}"], grams // base, otherwise=1)
        p = looked_up(model[f"grams{n}"], model[f"kept{n}"], grams) + backoff * p
    return p

"""Which pairs of sets are compared: all, or with many sets only those that anything reads.

A figure of all pairs can be read up to some dozens of sets. With more, a metric compares each training set with each
evaluation set, each set with itself, and the floor with each set. Jobs share this work in blocks of sources.
"""

from collections.abc import Collection
from itertools import product

MOST_SETS = 64
"""Up to so many sets, one job compares all pairs: their names, of 10 pixels, just fit on an axis of the figure.

With more sets, a job compares the needed pairs of so many of them."""

Pairs = dict[tuple[str, str], str]
"""(source, target) -> the one of the two that the pair belongs to."""


def all_pairs(sets: Collection[str], floor_set: str) -> Pairs:
    """Every set with every set, and the floor with every set."""
    pairs = {(source, target): source for source, target in product(sorted(sets), repeat=2)}
    return pairs | {(floor_set, target): floor_set for target in sorted(sets)}


def needed_pairs(sources: Collection[str], sets: Collection[str], floor_set: str) -> Pairs:
    """The pairs that belong to some sources: with itself, with the floor, and of a training set with evaluation sets.

    Over all sets, each pair belongs to one of them. Nothing is compared with the floor as its target.
    """
    targets = sorted(name for name in sets if name.endswith(".eval"))
    pairs: Pairs = {}
    for source in sorted(sources):
        pairs |= {(source, source): source, (floor_set, source): source}
        if source.endswith(".train") and source != floor_set:
            pairs |= {(source, target): source for target in targets}
    return pairs

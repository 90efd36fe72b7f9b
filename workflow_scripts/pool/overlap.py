"""Count how many of the target's distinct words, word pairs and word triples occur in a pool."""

import numpy as np

from workflow_scripts.texts.hash_filter import HashFilter
from workflow_scripts.texts.words import Words, ngrams, whole

ORDERS = (1, 2, 3)


class Overlap:
    """Exact except for collisions of 64-bit hashes. An n-gram that was found is not searched again."""

    def __init__(self, target: Words):
        self._missing = {
            order: HashFilter(np.unique(ngrams(target, order)[whole(target, order)])) for order in ORDERS
        }
        self._distinct = {order: len(missing.members) for order, missing in self._missing.items()}

    def add(self, words: Words) -> None:
        for order, missing in self._missing.items():
            places, numbers = missing.find(ngrams(words, order))
            found = numbers[whole(words, order)[places]]
            if len(found):
                self._missing[order] = HashFilter(np.delete(missing.members, np.unique(found)))

    def shares(self) -> dict[str, float]:
        """By the length of the n-gram."""
        return {
            str(order): 1 - len(missing.members) / self._distinct[order] if self._distinct[order] else 0.0
            for order, missing in self._missing.items()
        }

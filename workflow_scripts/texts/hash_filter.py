"""Test whether a hash belongs to a small set, fast enough for every n-gram of a large pool."""

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.texts.words import Hashes

_FEWEST_BITS, _MOST_BITS = 16, 26


class HashFilter:
    """Finds the members of a set; one look-up in a table of bytes rejects most others."""

    def __init__(self, members: Hashes):
        """`members` are sorted and distinct."""
        self.members = members
        bits = int(np.clip(int(32 * len(members)).bit_length(), _FEWEST_BITS, _MOST_BITS))
        self._shift = np.uint64(64 - bits)
        self._table = np.zeros(1 << bits, dtype=np.bool_)
        self._table[self._slots(members)] = True

    def _slots(self, hashes: Hashes) -> NDArray[np.int64]:
        return (hashes >> self._shift).astype(np.int64)

    def find(self, hashes: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of members in `hashes`, and which members they are."""
        places = np.flatnonzero(self._table[self._slots(hashes)])
        if not len(self.members):
            return places, places
        numbers = np.searchsorted(self.members, hashes[places])
        numbers = np.minimum(numbers, len(self.members) - 1)
        is_member = self.members[numbers] == hashes[places]
        return places[is_member], numbers[is_member]

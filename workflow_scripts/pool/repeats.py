"""Count rows that repeat another row, in bounded memory.

The hashes of all distinct rows are kept while there are at most `most` of them. Beyond that, hashes with the lowest
bit set are removed, then those with the next bit set, and so on. The rest is a sample of distinct rows by hash, each
with its number of rows, and the count is scaled up (Wegman's adaptive sampling; Flajolet, "On adaptive sampling",
Computing 43, 1990). So the count is exact up to `most` distinct rows. Above, its relative standard error is about 1 /
sqrt(repeats in the sample).
"""

import numpy as np

from workflow_scripts.texts.words import Hashes

MOST_KEPT = 1 << 23
_BUFFERED = 1 << 20


class RepeatCounter:
    def __init__(self, most: int = MOST_KEPT, buffered: int = _BUFFERED):
        self._most, self._most_buffered = most, buffered
        self._kept = np.empty(0, dtype=np.uint64)
        self._rows = np.empty(0, dtype=np.int64)
        self._bits = 0  # a hash is kept if this many of its lowest bits are zero
        self._buffer: list[Hashes] = []
        self._buffered = 0

    def add(self, hashes: Hashes) -> None:
        """Add the hashes of some more rows."""
        self._buffer.append(hashes)
        self._buffered += len(hashes)
        if self._buffered >= self._most_buffered:
            self._merge()

    def _merge(self) -> None:
        new = np.concatenate([np.empty(0, dtype=np.uint64), *self._buffer])
        self._buffer, self._buffered = [], 0
        both = np.concatenate([self._kept, new[self._is_kept(new)]])
        rows = np.concatenate([self._rows, np.ones(len(both) - len(self._rows), dtype=np.int64)])
        self._kept, inverse = np.unique(both, return_inverse=True)
        self._rows = np.bincount(inverse, weights=rows, minlength=len(self._kept)).astype(np.int64)
        while len(self._kept) > self._most:
            self._bits += 1
            stays = self._is_kept(self._kept)
            self._kept, self._rows = self._kept[stays], self._rows[stays]

    def _is_kept(self, hashes: Hashes) -> np.ndarray:
        return (hashes & np.uint64((1 << self._bits) - 1)) == 0

    def repeats(self) -> tuple[int, bool]:
        """The number of rows that repeat an earlier one, and whether it is exact."""
        self._merge()
        return int((self._rows - 1).sum()) << self._bits, self._bits == 0

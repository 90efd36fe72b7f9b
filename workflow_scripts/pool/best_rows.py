"""The best rows of a stream up to a number of bytes of text, in bounded memory and disk space.

Rows are ordered by (score, highest first; hash of the words; source; file; row). Of rows with equal words and equally
many bytes, the first is kept, with the number of all of them. `BestRows` keeps a row while those before it have fewer
than `limit` bytes. Score, hash and bytes depend only on the words, and a row among the best of all is among the best of
any part. So the final choice depends only on the rows of the pool, not on their order or on how many `BestRows` shared
them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.pool.spill import Spill

_LEAST_HELD = 16 << 20
"""Bytes of text that are kept before rows are dropped, even if fewer are wanted."""

FIELDS = np.dtype(
    [
        ("score", np.float64),
        ("text", np.uint64),
        ("source", np.int32),
        ("file", np.int32),
        ("row", np.int64),
        ("bytes", np.int64),
        ("packed", np.int64),
        ("copies", np.int64),
        ("part", np.int32),
        ("key", np.int64),
    ]
)
"""The record of a row in memory: `bytes` of its text, `packed` bytes on the disk, its `key` there, the number of the
process that wrote it (`part`), and how many rows have the same words (`copies`)."""

Index = NDArray[np.void]


class BestRows:
    """The best rows of those that one process reads."""

    def __init__(self, limit: int, folder: Path, least_held: int = _LEAST_HELD):
        self.limit = limit
        self._most_held = max(2 * limit, limit + least_held)
        self._folder = folder
        self._spills = 0
        self._spill = self._new_spill()
        self._index = np.empty(0, dtype=FIELDS)
        self._new: list[Index] = []
        self._next_key = 0
        self._held = 0
        self.threshold = -np.inf
        """Rows with a lower score cannot be among the best any more."""
        self.is_cut = False
        """Whether a row has been dropped because there were enough better ones."""

    def add(self, rows: Index, packed: Iterable[bytes]) -> None:
        """Add rows and their columns; `packed`, `copies` and `key` are set here."""
        for number, row in enumerate(packed):
            rows["key"][number] = self._next_key
            rows["packed"][number] = len(row)
            self._spill.add(self._next_key, row)
            self._next_key += 1
        rows["copies"] = 1
        self._new.append(rows)
        self._held += int(rows["bytes"].sum())
        if self._held > self._most_held:
            self._compact()

    def finish(self) -> tuple[Index, Path | None]:
        """The remaining rows and the file that has them, or None."""
        self._index = np.concatenate([self._index, *self._new])
        self._spill.close()
        return self._index, self._spill.path if len(self._index) else None

    def _compact(self) -> None:
        index, is_cut = best(np.concatenate([self._index, *self._new]), self.limit)
        self._new = []
        if is_cut:
            self.is_cut = True
            self.threshold = float(index["score"][-1])
        old, self._spill = self._spill, self._new_spill()
        old.close()
        for portion in old.portions():
            stays = np.isin([key for key, _ in portion], index["key"])
            for (key, packed), is_kept in zip(portion, stays, strict=True):
                if is_kept:
                    self._spill.add(key, packed)
        old.delete()
        self._index = index
        self._held = int(index["bytes"].sum())

    def _new_spill(self) -> Spill:
        self._spills += 1
        return Spill(self._folder / f"kept-{self._spills}.parquet")


def best(index: Index, limit: int) -> tuple[Index, bool]:
    """The best rows in order, one of each text, and whether others were dropped.

    The last one is the first that reaches the limit.
    """
    order = np.lexsort((index["row"], index["file"], index["source"], index["text"], -index["score"]))
    index = index[order]
    _, first, inverse = np.unique(index["text"], return_index=True, return_inverse=True)
    copies = np.bincount(inverse, weights=index["copies"], minlength=len(first)).astype(np.int64)
    index["copies"][first] = copies
    index = index[np.sort(first)]
    enough = int(np.searchsorted(np.cumsum(index["bytes"]), limit)) + 1
    return index[:enough].copy(), enough < len(index)


def portions_by_bytes(sizes: NDArray[np.int64], most: int) -> Iterator[slice]:
    """Slices of at most the given bytes each, or of one row."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + most, side="right")), start + 1)
        yield slice(start, stop)
        start = stop

"""Find rows that mostly repeat a better row, by the word 5-grams they share.

The rule is that of `corpora/near_duplicates.py`, containment (Broder 1997), but row by row. A row is dropped if at
least half of its distinct word 5-grams (all of them, if there are fewer than 8) are in one kept row, or nine tenths
in all kept rows. A 5-gram belongs to the first row that has it. So a row that shares only the boilerplate of a third
row is kept.

The 5-grams are in a hash table of up to 2^26 places, 0.8 GB. When it is full, 5-grams whose hash ends in 1 are removed,
later those that end in 10, and so on. The rest is a sample by hash, the same for all rows ("mod m" in Broder 1997), of
which a copy shares at least two. The rule is exact up to about 40 million 5-grams, or 200 MB of kept text.
"""

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.compilation import compiled
from workflow_scripts.pool.leaks import FEWEST_SHINGLES
from workflow_scripts.texts.copies import THRESHOLD
from workflow_scripts.texts.words import Hashes, Words, distinct_shingles

NEARLY_ALL = 0.9
RULE = (
    f"at least {THRESHOLD} of a row's distinct word 5-grams (all of them, if there are fewer than "
    f"{FEWEST_SHINGLES}) in one better row, or {NEARLY_ALL} in all better rows together"
)

MOST_BITS = 26
_FEWEST_BITS = 16
_FULL = 0.6
_FREE = -1
# In a sample of 5-grams, a single one may be common to many rows.
_FEWEST_SAMPLED = 2


@compiled
def _place(value, mask):
    """The first place at which a 5-gram is searched."""
    return (value * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20) & mask


@compiled
def _judge(hashes, starts, needed, nearly_all, first_row, keys, owners, is_kept):
    """Decide on rows in order and enter the 5-grams of kept rows; return how many were entered."""
    mask = np.uint64(len(keys) - 1)
    one = np.uint64(1)
    entered = 0
    for row in range(len(starts) - 1):
        count = starts[row + 1] - starts[row]
        places = np.empty(count, dtype=np.int64)
        seen_in = np.empty(count, dtype=np.int64)
        seen = 0
        for number in range(count):
            value = hashes[starts[row] + number]
            place = _place(value, mask)
            while owners[place] != _FREE and keys[place] != value:
                place = (place + one) & mask
            places[number] = place
            if owners[place] != _FREE:
                seen_in[seen] = owners[place]
                seen += 1
        most, run = 0, 0
        ordered = np.sort(seen_in[:seen])
        for number in range(seen):
            run = run + 1 if number and ordered[number] == ordered[number - 1] else 1
            most = max(most, run)
        is_kept[row] = not count or (most < needed[row] and (seen < nearly_all * count or seen < needed[row]))
        if not is_kept[row]:
            continue
        for number in range(count):
            value = hashes[starts[row] + number]
            place = np.uint64(places[number])
            # 5-grams of this row that were entered in the meantime may have taken the place.
            while owners[place] != _FREE and keys[place] != value:
                place = (place + one) & mask
            if owners[place] == _FREE:
                keys[place] = value
                owners[place] = first_row + row
                entered += 1
    return entered


@compiled
def _enter(hashes, hash_owners, keys, owners):
    """Enter distinct 5-grams into a table that has none of them."""
    mask = np.uint64(len(keys) - 1)
    one = np.uint64(1)
    for number in range(len(hashes)):
        place = _place(hashes[number], mask)
        while owners[place] != _FREE:
            place = (place + one) & mask
        keys[place] = hashes[number]
        owners[place] = hash_owners[number]


class NearCopies:
    """Decides row by row, best first, which rows to keep."""

    def __init__(self, most_bits: int = MOST_BITS):
        self._most_bits = most_bits
        self._bits = min(_FEWEST_BITS, most_bits)
        self._keys, self._owners = _empty(self._bits)
        self._entered = 0
        self._sampled = np.uint64(0)  # bits of a hash that are zero in the sample
        self._rows = 0

    @property
    def sampled_share(self) -> float:
        """Share of all 5-grams in the sample."""
        return 1 / (int(self._sampled) + 1)

    def keep(self, words: Words) -> NDArray[np.bool_]:
        """Whether to keep each of some more rows."""
        hashes, starts, needed = self._distinct(words)
        while self._entered + len(hashes) > _FULL * len(self._keys):
            self._make_room()
            hashes, starts, needed = self._distinct(words)
        is_kept = np.zeros(len(starts) - 1, dtype=np.bool_)
        self._entered += _judge(
            hashes, starts, needed, NEARLY_ALL, self._rows, self._keys, self._owners, is_kept
        )
        self._rows += len(is_kept)
        return is_kept

    def _distinct(self, words: Words) -> tuple[Hashes, NDArray[np.int64], NDArray[np.float64]]:
        """The distinct sampled 5-grams of each row, the start of each row, and how many make a copy.

        A row with fewer than five words is one 5-gram, which no longer row has.
        """
        hashes, rows = distinct_shingles(words)
        count = len(words.starts) - 1
        is_short = np.bincount(rows, minlength=count) < FEWEST_SHINGLES
        is_sampled = (hashes & self._sampled) == 0
        hashes, rows = hashes[is_sampled], rows[is_sampled]
        looked_at = np.bincount(rows, minlength=count)
        needed = np.where(is_short, looked_at, THRESHOLD * looked_at)
        if self._sampled:
            needed = np.maximum(needed, _FEWEST_SAMPLED)
        return hashes, np.searchsorted(rows, np.arange(count + 1)), needed

    def _make_room(self) -> None:
        if self._bits < self._most_bits:
            self._bits += 1
        else:
            self._sampled = self._sampled << np.uint64(1) | np.uint64(1)
        stays = (self._owners != _FREE) & ((self._keys & self._sampled) == 0)
        hashes, hash_owners = self._keys[stays], self._owners[stays]
        self._keys, self._owners = _empty(0)  # freed before the new table is made
        self._keys, self._owners = _empty(self._bits)
        _enter(hashes, hash_owners, self._keys, self._owners)
        self._entered = len(hashes)


def _empty(bits: int) -> tuple[Hashes, NDArray[np.int32]]:
    return np.zeros(1 << bits, dtype=np.uint64), np.full(1 << bits, _FREE, dtype=np.int32)

"""Find documents that mostly repeat other documents, by the word 5-grams they share.

A document is a near-duplicate of a collection if at least half of its distinct 5-grams of lower-cased words occur
anywhere in the collection. This is containment (Broder 1997, "On the resemblance and containment of documents") in the
collection as one set, which is stricter than comparing document with document.

Memory holds up to 2^24 5-grams of the candidates. When there are more, those whose hash ends in 1 are removed, later
those that end in 10, and so on: the rest is a sample by hash, the same for all documents ("mod m" in Broder 1997), of
which a near-duplicate must share at least two. So the result is exact up to about 80 MB of candidates, except for
collisions of 64-bit hashes.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.texts.copies import THRESHOLD
from workflow_scripts.texts.hash_filter import HashFilter
from workflow_scripts.texts.portions import portions
from workflow_scripts.texts.words import Hashes, distinct_shingles, find_words, shingles_and_short_texts

MOST_SHINGLES = 1 << 24
_FEWEST_SAMPLED = 2
_PORTION = 1 << 21  # bytes


class NearDuplicates:
    """Compares the same candidates with one collection after another."""

    def __init__(self, candidates: Iterable[str], most: int = MOST_SHINGLES):
        self._sampled = np.uint64(0)  # bits of a hash that are zero in the sample
        found, owners, held, self._count = [], [], 0, 0
        for portion in portions(map(str.encode, candidates), _PORTION):
            hashes, owner = self._sample(*distinct_shingles(find_words(portion)))
            found.append(hashes)
            owners.append(owner + self._count)
            self._count += len(portion)
            held += len(hashes)
            while held > most:
                self._sampled = self._sampled << np.uint64(1) | np.uint64(1)
                pairs = [self._sample(*pair) for pair in zip(found, owners, strict=True)]
                found, owners = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
                held = sum(map(len, found))
        hashes = np.concatenate([np.empty(0, dtype=np.uint64), *found])
        self._owners = np.concatenate([np.empty(0, dtype=np.int64), *owners])
        members, self._numbers = np.unique(hashes, return_inverse=True)
        self._filter = HashFilter(members)

    def _sample(self, hashes: Hashes, owners: NDArray) -> tuple[Hashes, NDArray]:
        stays = (hashes & self._sampled) == 0
        return hashes[stays], owners[stays]

    def of(self, collection: Iterable[str]) -> NDArray[np.bool_]:
        """For each candidate, whether it is a near-duplicate of the collection."""
        is_known = np.zeros(len(self._filter.members), dtype=np.bool_)
        for portion in portions(map(str.encode, collection), _PORTION):
            hashes, _ = shingles_and_short_texts(find_words(portion))
            is_known[self._filter.find(hashes)[1]] = True
        compared = np.bincount(self._owners, minlength=self._count)
        shared = np.bincount(self._owners, weights=is_known[self._numbers], minlength=self._count)
        fewest = _FEWEST_SAMPLED if self._sampled else 1
        enough: NDArray[np.bool_] = shared >= np.maximum(THRESHOLD * compared, fewest)
        return enough


def near_duplicates(candidates: Iterable[str], collection: Iterable[str]) -> NDArray[np.bool_]:
    """For each candidate, whether it is a near-duplicate of the collection."""
    return NearDuplicates(candidates).of(collection)

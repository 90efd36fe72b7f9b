"""Find documents that mostly repeat other documents, by the word 5-grams they share.

A document is a near-duplicate of a collection if at least half of its distinct 5-grams of lower-cased words occur
anywhere in the collection. This is containment (Broder 1997, "On the resemblance and containment of documents") in the
collection as one set, which is stricter than comparing document with document.

Memory holds the 5-grams of the candidates, 20 bytes each, and of some megabytes of the collection at a time.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from workflow_scripts.corpora.portions import portions

SHINGLE_WORDS = 5
THRESHOLD = 0.5
RULE = f"containment of word {SHINGLE_WORDS}-grams in the train side of at least {THRESHOLD}"

_WORD = re.compile(r"\w+|[^\w\s]")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_PORTION = 1 << 20  # characters


def near_duplicates(candidates: Sequence[str], collection: Iterable[str]) -> np.ndarray:
    """For each candidate, whether it is a near-duplicate of the collection."""
    if not len(candidates):
        return np.zeros(0, dtype=bool)
    shingles, counts = _of_candidates(candidates)
    wanted = np.unique(shingles)
    is_known = np.zeros(len(wanted), dtype=bool)
    for portion in portions(collection, _PORTION):
        hashes = shingle_hashes(portion)[0]
        places = np.searchsorted(wanted, hashes).clip(max=len(wanted) - 1)
        is_known[places[wanted[places] == hashes]] = True
    owners = np.repeat(np.arange(len(candidates)), counts)
    repeated = is_known[np.searchsorted(wanted, shingles)]
    share = np.bincount(owners, weights=repeated, minlength=len(candidates)) / counts.clip(min=1)
    return share >= THRESHOLD


def _of_candidates(candidates: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The distinct shingles of each candidate, one candidate after the other, and how many each has."""
    found, counts = [], []
    for portion in portions(candidates, _PORTION):
        hashes, owners = shingle_hashes(portion)
        found.append(hashes)
        counts.append(np.bincount(owners, minlength=len(portion)))
    return np.concatenate(found), np.concatenate(counts)


def shingle_hashes(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """64-bit hashes of the distinct shingles of each text, and the index of the text of each hash.

    A text with fewer words than a shingle is one shingle.
    """
    words = [_WORD.findall(text.lower()) for text in texts]
    lengths = np.array([len(found) for found in words])
    flat = np.array([word for found in words for word in found], dtype=object)
    hashes = pd.util.hash_array(flat)
    owners = np.repeat(np.arange(len(texts)), lengths)
    starts = np.cumsum(lengths) - lengths
    position = np.arange(len(flat)) - starts[owners]
    room = lengths[owners] - position

    padded = np.concatenate([hashes, np.zeros(SHINGLE_WORDS, dtype=np.uint64)])
    combined = np.zeros(len(flat), dtype=np.uint64)
    for offset in range(SHINGLE_WORDS):
        word = np.where(offset < room, padded[offset : offset + len(flat)], np.uint64(0))
        combined = (combined ^ word) * _MULTIPLIER
    begins = (room >= SHINGLE_WORDS) | (position == 0)
    distinct = pd.DataFrame({"shingle": combined[begins], "owner": owners[begins]}).drop_duplicates()
    return distinct["shingle"].to_numpy(), distinct["owner"].to_numpy()

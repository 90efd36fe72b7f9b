"""Words of many texts at once as 64-bit hashes, and hashes of the n-grams that they form.

A word is a run of letters, digits and underscores in lower case, a punctuation mark, or one character of a script
without spaces (Chinese, Japanese, Thai). One compiled loop finds the words; everything else is array arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.compilation import compiled
from workflow_scripts.texts.characters import (
    CHINESE,
    DAMAGED,
    LETTER,
    MARK,
    OTHER_SCRIPT,
    SCRIPT_MASK,
    SCRIPT_SHIFT,
    SCRIPTS,
    WORD,
    kinds,
    lower_case,
)
from workflow_scripts.texts.copies import SHINGLE_WORDS

Hashes = NDArray[np.uint64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIXER = np.uint64(0xD6E8FEB86659FD93)
_START = np.uint64(0xCBF29CE484222325)
_HALF = np.uint64(32)


@dataclass(frozen=True)
class Words:
    """The words of some texts, one text after the other."""

    hashes: Hashes
    starts: NDArray[np.int64]
    """The start of each text in `hashes`, and the end of the last."""
    texts: Hashes
    """A hash of all words of a text in order; equal for texts that differ only in case and white space."""
    is_damaged: NDArray[np.bool_]
    """Whether a text has replacement or control characters."""
    letters: NDArray[np.int64]
    """Letters by script, over all texts; by the number of `SCRIPTS`."""

    def counts(self) -> NDArray[np.int64]:
        """Words of each text."""
        return np.diff(self.starts)


@compiled
def _find_words(data, bounds, kind_of, lower, hashes, starts, texts, is_damaged, letters):
    found = 0
    for text in range(len(bounds) - 1):
        of_text, word, is_open = _START, _START, False
        place, end = bounds[text], bounds[text + 1]
        while place <= end:
            # A space after the last character ends its word.
            code: Any = 0
            kind: Any = 0
            if place == end:
                place += 1
            else:
                first = np.int64(data[place])
                if first < 0x80:
                    code = first
                    place += 1
                elif first < 0xE0:
                    code = (first & 0x1F) << 6 | (np.int64(data[place + 1]) & 0x3F)
                    place += 2
                else:
                    code = (np.int64(data[place + 1]) & 0x3F) << 6 | (np.int64(data[place + 2]) & 0x3F)
                    if first < 0xF0:
                        code |= (first & 0xF) << 12
                        place += 3
                    else:
                        code = (first & 0x7) << 18 | code << 6 | (np.int64(data[place + 3]) & 0x3F)
                        place += 4
                if code < 0x10000:
                    kind = np.int64(kind_of[code])
                    code = np.int64(lower[code])
                elif 0x20000 <= code < 0x40000:
                    kind = WORD | CHINESE << SCRIPT_SHIFT
                elif 0x1F000 <= code < 0x20000:
                    kind = MARK
                else:
                    kind = LETTER | OTHER_SCRIPT << SCRIPT_SHIFT
                letters[kind >> SCRIPT_SHIFT & SCRIPT_MASK] += 1
                if kind & DAMAGED:
                    is_damaged[text] = True
            kind &= 3
            if kind == LETTER:
                word = (word ^ np.uint64(code)) * _MULTIPLIER
                is_open = True
                continue
            if is_open:
                word = (word ^ word >> _HALF) * _MIXER
                word ^= word >> _HALF
                hashes[found] = word
                found += 1
                of_text = (of_text ^ word) * _MULTIPLIER
                word, is_open = _START, False
            if kind >= MARK:
                mark = (_START ^ np.uint64(code)) * _MULTIPLIER
                mark = (mark ^ mark >> _HALF) * _MIXER
                mark ^= mark >> _HALF
                hashes[found] = mark
                found += 1
                of_text = (of_text ^ mark) * _MULTIPLIER
        texts[text] = of_text ^ of_text >> _HALF
        starts[text + 1] = found
    return found


def find_words(encoded: Sequence[bytes]) -> Words:
    """The words of texts given as UTF-8."""
    data = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    bounds = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in encoded], out=bounds[1:])
    hashes = np.empty(len(data), dtype=np.uint64)
    starts = np.zeros(len(encoded) + 1, dtype=np.int64)
    texts = np.empty(len(encoded), dtype=np.uint64)
    is_damaged = np.zeros(len(encoded), dtype=np.bool_)
    letters = np.zeros(SCRIPT_MASK + 1, dtype=np.int64)
    found = _find_words(data, bounds, kinds(), lower_case(), hashes, starts, texts, is_damaged, letters)
    return Words(hashes[:found].copy(), starts, texts, is_damaged, letters[: len(SCRIPTS)])


def ngrams(words: Words, order: int) -> Hashes:
    """The hash of the n-gram that starts at each word. The last ones of a text run into the next (see `whole`)."""
    combined = words.hashes
    for offset in range(1, order):
        combined = combined[:-1] * _MULTIPLIER + words.hashes[offset:]
    return combined


def whole(words: Words, order: int) -> NDArray[np.bool_]:
    """For each of `ngrams`, whether it is within one text."""
    count = max(len(words.hashes) - order + 1, 0)
    is_whole = np.ones(count, dtype=np.bool_)
    for offset in range(1, order):
        ends = words.starts[1:] - offset
        is_whole[ends[(ends >= 0) & (ends < count)]] = False
    return is_whole


def owners(words: Words) -> NDArray[np.int32]:
    """The number of the text of each word."""
    return np.repeat(np.arange(len(words.starts) - 1, dtype=np.int32), words.counts())


def shingles(words: Words) -> tuple[Hashes, NDArray[np.int32]]:
    """The word 5-grams within texts, with repeats, and the text of each."""
    is_whole = whole(words, SHINGLE_WORDS)
    return ngrams(words, SHINGLE_WORDS)[is_whole], owners(words)[: len(is_whole)][is_whole]


def shingles_and_short_texts(words: Words) -> tuple[Hashes, NDArray[np.int32]]:
    """`shingles`, and each text of fewer than five words as one, which no longer text has; none of an empty text."""
    hashes, texts = shingles(words)
    counts = words.counts()
    short = np.flatnonzero((counts > 0) & (counts < SHINGLE_WORDS)).astype(np.int32)
    return np.concatenate([hashes, words.texts[short]]), np.concatenate([texts, short])


def distinct_shingles(words: Words) -> tuple[Hashes, NDArray[np.int32]]:
    """The distinct ones of `shingles_and_short_texts` of each text, and the text of each, in the order of the texts."""
    hashes, texts = shingles_and_short_texts(words)
    order = np.lexsort((hashes, texts))
    hashes, texts = hashes[order], texts[order]
    is_new = np.ones(len(hashes), dtype=np.bool_)
    is_new[1:] = (hashes[1:] != hashes[:-1]) | (texts[1:] != texts[:-1])
    return hashes[is_new], texts[is_new]

"""Tokens of long texts from the tokens of their words, for tokenizers that split texts as GPT-2 does.

Such a tokenizer splits a text into words by a regular expression and encodes each word by itself. So the tokens of a
word are computed once, by the tokenizer's own library, and looked up when the word comes again. The result equals
that of the library at about twenty times its speed.

The expression is `'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`. The classes of
characters are asked from the library, character by character, so that both have the same version of Unicode.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from workflow_scripts.compilation import compiled
from workflow_scripts.texts.portions import portions

# Classes of characters; compiled functions have the first as 0 and the last as 4.
_SPACE, _LETTER, _NUMBER, _OTHER, _UNKNOWN = range(5)
_CODES = 0x110000

_PORTION = 1 << 20
"""Bytes of text at a time."""
_MOST_WORDS = 1 << 21
"""Words are forgotten beyond this number; of English text, 10 GB have as many."""
_FEWEST_PLACES = 1 << 18
_EMPTY = -1


@compiled
def _code(data, place):
    """The character of UTF-8 that starts at `place`, and its bytes."""
    first = np.int64(data[place])
    if first < 0x80:
        return first, 1
    second = np.int64(data[place + 1]) & 0x3F
    if first < 0xE0:
        return (first & 0x1F) << 6 | second, 2
    third = np.int64(data[place + 2]) & 0x3F
    if first < 0xF0:
        return (first & 0xF) << 12 | second << 6 | third, 3
    return (first & 0x7) << 18 | second << 12 | third << 6 | (np.int64(data[place + 3]) & 0x3F), 4


@compiled
def _strangers(data, class_of, codes):
    """Collect the characters of unknown class, each once."""
    count, place = 0, 0
    while place < len(data):
        if data[place] < 0x80:
            place += 1
            continue
        code, size = _code(data, place)
        if class_of[code] == 4:
            class_of[code] = 0
            codes[count] = code
            count += 1
        place += size
    return count


@compiled
def _same(first, first_start, second, second_start, length):
    offset = 0
    while offset < length and first[first_start + offset] == second[second_start + offset]:
        offset += 1
    return offset == length


@compiled
def _end_of_word(data, start, end, class_of):
    """Where the word that starts at `start` ends, by the first alternative of the expression that fits."""
    if data[start] == 0x27 and start + 1 < end:
        # An apostrophe with s, t, m, d, re, ve or ll after it.
        first = data[start + 1]
        if first == 0x73 or first == 0x74 or first == 0x6D or first == 0x64:
            return start + 2
        second = data[start + 2] if start + 2 < end else 0
        if (second == 0x65 and (first == 0x72 or first == 0x76)) or (second == 0x6C and first == 0x6C):
            return start + 3
    code, size = _code(data, start)
    kind, place = class_of[code], start + size
    if code == 0x20 and place < end:
        # A space belongs to the word after it.
        code, size = _code(data, place)
        if class_of[code] != 0:
            kind, place = class_of[code], place + size
    last = start
    while place < end:
        code, size = _code(data, place)
        if class_of[code] != kind:
            # Of several spaces, the last is left for the next word.
            return last if kind == 0 and last > start else place
        last = place
        place += size
    return end


@compiled
def _find(data, bounds, class_of, places, hashes, starts, letters, known, numbers, ends):
    """Number the words of UTF-8 texts, and enter new ones; return how many words there are, and how many are known."""
    mask = np.uint64(len(places) - 1)
    one = np.uint64(1)
    found = 0
    for text in range(len(bounds) - 1):
        word, end = bounds[text], bounds[text + 1]
        while word < end:
            stop = _end_of_word(data, word, end, class_of)
            length = stop - word
            value = np.uint64(0)
            for place in range(word, stop):
                value = (value ^ np.uint64(data[place])) * np.uint64(0x9E3779B97F4A7C15)
            value ^= value >> np.uint64(32)
            slot = value & mask
            number = np.int64(places[slot])
            while number >= 0 and not (
                hashes[number] == value
                and starts[number + 1] - starts[number] == length
                and _same(letters, starts[number], data, word, length)
            ):
                slot = (slot + one) & mask
                number = np.int64(places[slot])
            if number < 0:
                number = known
                places[slot] = number
                hashes[number] = value
                letters[starts[number] : starts[number] + length] = data[word:stop]
                starts[number + 1] = starts[number] + length
                known += 1
            numbers[found] = number
            found += 1
            word = stop
        ends[text] = found
    return found, known


@compiled
def _refill(places, hashes, known):
    """Enter the known words into a new table."""
    mask = np.uint64(len(places) - 1)
    one = np.uint64(1)
    for number in range(known):
        slot = hashes[number] & mask
        while places[slot] >= 0:
            slot = (slot + one) & mask
        places[slot] = number


@compiled
def _gather(numbers, ends, tokens, token_starts, ids, token_ends):
    """The tokens of numbered words, one text after the other."""
    count, word = 0, 0
    for text in range(len(ends)):
        while word < ends[text]:
            start = token_starts[numbers[word]]
            for place in range(start, token_starts[numbers[word] + 1]):
                ids[count] = tokens[place]
                count += 1
            word += 1
        token_ends[text] = count


class _Words:
    """Words that were seen, by number: their letters and their tokens."""

    def __init__(self) -> None:
        self.known = 0
        self.places = np.full(_FEWEST_PLACES, _EMPTY, dtype=np.int32)  # a hash table of numbers
        self.hashes = np.empty(0, dtype=np.uint64)
        self.starts = np.zeros(1, dtype=np.int64)  # of each word in `letters`
        self.letters = np.empty(0, dtype=np.uint8)
        self.token_starts = np.zeros(1, dtype=np.int64)  # of each word in `tokens`
        self.tokens = np.empty(0, dtype=np.int32)

    def make_room(self, size: int) -> None:
        """Room for `size` bytes of words that are all new."""
        words = self.known + size
        if len(self.places) < 2 * words:
            self.places = np.full(1 << int(2 * words).bit_length(), _EMPTY, dtype=np.int32)
            _refill(self.places, self.hashes, self.known)
        self.hashes = _longer(self.hashes, words)
        self.starts = _longer(self.starts, words + 1)
        self.letters = _longer(self.letters, int(self.starts[self.known]) + size)

    def learn(self, known: int, tokenizer: Tokenizer) -> None:
        """Let the library encode the words that `_find` entered, of which there are `known` now."""
        first = int(self.starts[self.known])
        letters = self.letters[first : self.starts[known]].tobytes()
        borders = (self.starts[self.known : known + 1] - first).tolist()
        words = [letters[start:end].decode() for start, end in pairwise(borders)]
        parts = [encoding.ids for encoding in tokenizer.encode_batch_fast(words, add_special_tokens=False)]
        new = [token for part in parts for token in part]
        start = int(self.token_starts[self.known])
        self.tokens = _longer(self.tokens, start + len(new))
        self.tokens[start : start + len(new)] = new
        self.token_starts = _longer(self.token_starts, known + 1)
        ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
        self.token_starts[self.known + 1 : known + 1] = start + ends
        self.known = known


class KnownWords:
    """Encodes texts by their words; `splits_as_gpt2` says for which tokenizers."""

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer = tokenizer
        self._added = tuple(token.content for token in tokenizer.get_added_tokens_decoder().values())
        self._class_of = np.full(_CODES, _UNKNOWN, dtype=np.uint8)
        self._learn_characters(range(128))
        self._words = _Words()

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """The tokens of each text, without special tokens around them."""
        found: list[NDArray[np.int32]] = [np.empty(0, dtype=np.int32)] * len(texts)
        plain = []
        for number, text in enumerate(texts):
            if any(token in text for token in self._added):
                encoding = self._tokenizer.encode(text, add_special_tokens=False)
                found[number] = np.array(encoding.ids, dtype=np.int32)
                continue
            plain.append(number)
        numbers = iter(plain)
        for portion in portions((texts[number].encode() for number in plain), _PORTION):
            for ids in self._encode(portion):
                found[next(numbers)] = ids
        return found

    def _encode(self, encoded: list[bytes]) -> list[NDArray[np.int32]]:
        data = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        codes = np.empty(len(data) // 2, dtype=np.int32)
        self._learn_characters(codes[: _strangers(data, self._class_of, codes)].tolist())
        bounds = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(text) for text in encoded], out=bounds[1:])
        if self._words.known > _MOST_WORDS:
            self._words = _Words()
        words = self._words
        words.make_room(len(data))
        numbers = np.empty(len(data), dtype=np.int32)
        ends = np.empty(len(encoded), dtype=np.int64)
        table = (words.places, words.hashes, words.starts, words.letters)
        found, known = _find(data, bounds, self._class_of, *table, words.known, numbers, ends)
        words.learn(known, self._tokenizer)
        numbers = numbers[:found]
        ids = np.empty(
            int((words.token_starts[numbers + 1] - words.token_starts[numbers]).sum()), dtype=np.int32
        )
        token_ends = np.empty(len(encoded), dtype=np.int64)
        _gather(numbers, ends, words.tokens, words.token_starts, ids, token_ends)
        return np.split(ids, token_ends[:-1])

    def _learn_characters(self, codes: Iterable[int]) -> None:
        """Ask the library to which class each character belongs: those of one class form one word."""
        split = self._tokenizer.pre_tokenizer.pre_tokenize_str
        for code in codes:
            self._class_of[code] = _SPACE
            for kind, neighbour in ((_LETTER, "a"), (_NUMBER, "1"), (_OTHER, "!")):
                if len(split(neighbour + chr(code))) == 1:
                    self._class_of[code] = kind


def _longer(array: NDArray[Any], length: int) -> NDArray[Any]:
    """The array with room for `length` elements, at least doubled if it has less."""
    if len(array) >= length:
        return array
    longer: NDArray[Any] = np.empty(max(length, 2 * len(array)), dtype=array.dtype)
    longer[: len(array)] = array
    return longer


def splits_as_gpt2(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer encodes word by word, with the words of GPT-2, and always in the same way."""
    settings = json.loads(tokenizer.to_str())
    split = settings["pre_tokenizer"] or {}
    return (
        settings["normalizer"] is None
        and split.get("type") == "ByteLevel"
        and split.get("use_regex", True)
        and not split.get("add_prefix_space", True)
        and not settings["model"].get("dropout")
    )

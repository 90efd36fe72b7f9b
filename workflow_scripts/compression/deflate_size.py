"""Lengths of gzip streams of two joined short texts, without compressing each pair from the start.

The numbers are those of zlib at level 9 (`deflate_slow` and `trees.c` of zlib 1.2 and 1.3; RFC 1951). A text is
compared with many others, so what depends on one text only is computed once: the longest match at each position, the
places of its three-byte strings, and the symbols up to where the other text may matter. Only texts of at most `LONGEST`
bytes together, for which no limit of zlib's search applies, have a length here.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.compilation import compiled

LONGEST = 4096
"""Bytes of both texts. Longer texts reach limits of zlib: far matches of three bytes, windows, several blocks."""
MOST_EQUAL_STRINGS = 512
"""Of three bytes with one hash in a text; of two texts, zlib's search looks at 1,024."""
UNKNOWN = 0

_SHORTEST_MATCH, _LONGEST_MATCH = 3, 258
_HASHES, _HASH_SHIFT = 1024, 22
_END, _LITERALS, _DISTANCES, _LENGTHS_OF_CODES = 256, 286, 30, 19
_SYMBOLS = _LITERALS + _DISTANCES
_HEAP = 2 * _LITERALS + 1
_NUMBER_BITS, _WEIGHT_SHIFT = 10, 20  # in an entry of the heap: number and depth of a node
_NUMBER = (1 << _NUMBER_BITS) - 1
_HEADER_AND_TRAILER = 18  # of gzip
_EXTRA_OF_LENGTHS = np.array([0] * 8 + [n for n in range(1, 6) for _ in range(4)] + [0])
_EXTRA_OF_DISTANCES = np.array([0, 0] + [n for n in range(14) for _ in range(2)])
_EXTRA_OF_CODES = np.array([0] * 16 + [2, 3, 7])
_ORDER_OF_CODES = np.array([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15])
_EXTRA = np.concatenate([np.zeros(_END + 1, np.int64), _EXTRA_OF_LENGTHS])
_FIXED = np.array([8] * 144 + [9] * 112 + [7] * 24 + [8] * 6)
_FIXED_OF_DISTANCES = np.full(_DISTANCES, 5)


def _symbols(extra: np.ndarray, first: int, count: int) -> NDArray[np.int64]:
    """The code of each value from `first` on; a code with n extra bits has 2^n values."""
    return np.repeat(np.arange(len(extra)), 2**extra)[: count - first + 1]


_OF_LENGTH = np.concatenate([np.zeros(3, np.int64), _symbols(_EXTRA_OF_LENGTHS, 3, 258)]) + _END + 1
_OF_LENGTH[_LONGEST_MATCH] = _END + len(_EXTRA_OF_LENGTHS)  # has a code without extra bits
_OF_DISTANCE = np.concatenate([np.zeros(1, np.int64), _symbols(_EXTRA_OF_DISTANCES, 1, LONGEST)]) + _LITERALS


class Prepared(NamedTuple):
    """Some texts, with what does not depend on the text that one is joined with. Positions count within a text."""

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int16]
    """Of the longest match at each position, if the text comes second."""
    distances: NDArray[np.int16]
    lengths_first: NDArray[np.int16]
    """The same if the text comes first; then nothing matches its first position, as in zlib."""
    distances_first: NDArray[np.int16]
    last: NDArray[np.int16]
    """By text and hash: the last position of a three-byte string with this hash, or -1."""
    before: NDArray[np.int16]
    """By position: the previous one with the same hash, or -1."""
    counts: NDArray[np.int16]
    """By text: how often each symbol occurs up to where the other text may matter, if the text comes first."""
    states: NDArray[np.int16]
    """By text: position, length and distance of the match before, and whether a byte is pending, at that point."""


def prepared(data: NDArray[np.uint8], ends: NDArray[np.int64]) -> Prepared:
    """Prepare texts that are one after the other in `data`."""
    starts = np.concatenate([np.zeros(1, np.int64), np.asarray(ends, dtype=np.int64)])
    n, total = len(starts) - 1, len(data)

    def of_positions() -> NDArray[np.int16]:
        return np.zeros(total, np.int16)

    texts = Prepared(
        data=data,
        starts=starts,
        lengths=of_positions(),
        distances=of_positions(),
        lengths_first=of_positions(),
        distances_first=of_positions(),
        last=np.full((n, _HASHES), -1, np.int16),
        before=of_positions(),
        counts=np.zeros((n, _SYMBOLS), np.int16),
        states=np.zeros((n, 4), np.int16),
    )
    _prepare(texts)
    return texts


@compiled
def _string(data, place):
    """The three bytes at a position."""
    return np.int64(data[place]) << 16 | np.int64(data[place + 1]) << 8 | np.int64(data[place + 2])


@compiled
def _hash(string):
    return (string * 0x9E3779B1 & 0xFFFFFFFF) >> _HASH_SHIFT


@compiled
def _common(data, one, other, longest):
    length = 0
    while length < longest and data[one + length] == data[other + length]:
        length += 1
    return length


@compiled
def _prepare(texts):
    data, starts = texts.data, texts.starts
    seen = np.zeros(_HASHES, np.int64)
    for text in range(len(starts) - 1):
        start, size = starts[text], starts[text + 1] - starts[text]
        if size > LONGEST:
            texts.states[text, 0] = -1
            continue
        last = texts.last[text]
        seen[:] = 0
        unclear = max(0, size - 2)  # the first position where the other text may matter
        for place in range(size - 2):
            string = _hash(_string(data, start + place))
            longest = min(_LONGEST_MATCH, size - place)
            best, distance = _SHORTEST_MATCH - 1, 0
            candidate: Any = np.int64(last[string])
            texts.before[start + place] = candidate
            while candidate > 0 and best < longest:
                if data[start + candidate + best] == data[start + place + best]:
                    length = _common(data, start + candidate, start + place, longest)
                    if length > best:
                        best, distance = length, place - candidate
                candidate = np.int64(texts.before[start + candidate])
            texts.lengths_first[start + place], texts.distances_first[start + place] = best, distance
            if place + best >= size and best >= _SHORTEST_MATCH:
                unclear = min(unclear, place)
            if candidate == 0 and best < longest:
                length = _common(data, start, start + place, longest)
                if length > best:
                    best, distance = length, place
            texts.lengths[start + place], texts.distances[start + place] = best, distance
            last[string] = place
            seen[string] += 1
        if seen.max() > MOST_EQUAL_STRINGS:
            texts.states[text, 0] = -1
            continue
        _first_symbols(texts, text, unclear)


@compiled
def _first_symbols(texts, text, unclear):
    start, counts, state = texts.starts[text], texts.counts[text], texts.states[text]
    length: Any = _SHORTEST_MATCH - 1
    distance: Any = 0
    place, pending = 0, 0
    while place < unclear:
        length_before, distance_before = length, distance
        length = np.int64(texts.lengths_first[start + place])
        distance = np.int64(texts.distances_first[start + place])
        if length_before >= _SHORTEST_MATCH and length <= length_before:
            counts[_OF_LENGTH[length_before]] += 1
            counts[_OF_DISTANCE[distance_before]] += 1
            place += length_before - 1
            length, pending = _SHORTEST_MATCH - 1, 0
        else:
            if pending:
                counts[texts.data[start + place - 1]] += 1
            pending = 1
            place += 1
    state[0], state[1], state[2], state[3] = place, length, distance, pending


@compiled
def _count_symbols(one, i, other, j, both, counts):
    """How often each symbol occurs in the compressed texts i and j, joined; returns the bytes of both."""
    base, start = one.starts[i], other.starts[j]
    first, second = one.starts[i + 1] - base, other.starts[j + 1] - start
    size = first + second
    both[:first] = one.data[base : base + first]
    both[first:size] = other.data[start : start + second]
    last, before = one.last[i], one.before[base : base + first]
    own_lengths = other.lengths[start : start + second]
    own_distances = other.distances[start : start + second]
    # Only if the first text has as many bytes; otherwise they are not used.
    last_string, string_before = _string(both, first - 1), _string(both, max(0, first - 2))
    counts[:] = one.counts[i]
    counts[_END] = 1
    state = one.states[i]
    place: Any = np.int64(state[0])
    length: Any = np.int64(state[1])
    distance: Any = np.int64(state[2])
    pending = state[3]
    while place < size:
        length_before, distance_before = length, distance
        longest = min(_LONGEST_MATCH, size - place)
        # Only a match longer than the one before matters.
        best = length = max(length_before, _SHORTEST_MATCH - 1)
        if best < longest:
            if place >= first:
                own = np.int64(own_lengths[place - first])
                if own > best:
                    best, distance = own, np.int64(own_distances[place - first])
            string = _string(both, place)
            # Strings that begin in the first text and end in the second have no place in its lists.
            if string == last_string and 0 < first - 1 < place:
                found = _common(both, first - 1, place, longest)
                if found > best:
                    best, distance = found, place - first + 1
            if string == string_before and 0 < first - 2 < place:
                found = _common(both, first - 2, place, longest)
                if found > best:
                    best, distance = found, place - first + 2
            candidate = np.int64(last[_hash(string)])
            while candidate >= place:
                candidate = np.int64(before[candidate])
            while candidate > 0 and best < longest:
                if both[candidate + best] == both[place + best]:
                    found = _common(both, candidate, place, longest)
                    if found > best:
                        best, distance = found, place - candidate
                candidate = np.int64(before[candidate])
            length = best
        if length_before >= _SHORTEST_MATCH and length <= length_before:
            counts[_OF_LENGTH[length_before]] += 1
            counts[_OF_DISTANCE[distance_before]] += 1
            place += length_before - 1
            length, pending = _SHORTEST_MATCH - 1, 0
        else:
            if pending:
                counts[both[place - 1]] += 1
            pending = 1
            place += 1
    if pending:
        counts[both[place - 1]] += 1
    return size


@compiled
def _sift(heap, count, k):
    """zlib's `pqdownheap`. An entry is weight, depth and number of a node; the number does not count in its order."""
    # Unsigned places, because compiled code tests whether a signed one counts from the end.
    place, last, child = np.uint64(k), np.uint64(count), np.uint64(2 * k)
    one = np.uint64(1)
    entry = heap[place]
    while child <= last:
        best = heap[child]
        if child < last:
            right = heap[child + one]
            if right >> _NUMBER_BITS <= best >> _NUMBER_BITS:
                child += one
                best = right
        if entry >> _NUMBER_BITS <= best >> _NUMBER_BITS:
            break
        heap[place] = best
        place = child
        child <<= one
    heap[place] = entry


@compiled
def _tree(frequencies, extra, fixed, longest, lengths, space):
    """Code lengths as zlib's `build_tree` makes them: the highest code, bits by these lengths, and by fixed ones."""
    heap, order, parents, numbers = space
    elements = len(frequencies)
    count, highest, bits, fixed_bits = 0, -1, 0, 0
    for n in range(elements):
        lengths[n] = 0
        if frequencies[n]:
            count += 1
            heap[count] = frequencies[n] << _WEIGHT_SHIFT | n
            highest = n
    while count < 2:
        if highest < 2:
            highest += 1
            forced = highest
        else:
            forced = 0
        count += 1
        heap[count] = 1 << _WEIGHT_SHIFT | forced
        bits -= 1
        fixed_bits -= fixed[forced]
    for k in range(count // 2, 0, -1):
        _sift(heap, count, k)
    node, end = elements, _HEAP
    while True:
        one = heap[1]
        heap[1] = heap[count]
        count -= 1
        _sift(heap, count, 1)
        other = heap[1]
        end -= 2
        order[end + 1], order[end] = one, other
        parents[one & _NUMBER] = parents[other & _NUMBER] = node
        weight = (one >> _WEIGHT_SHIFT) + (other >> _WEIGHT_SHIFT)
        depth = max(one >> _NUMBER_BITS & _NUMBER, other >> _NUMBER_BITS & _NUMBER) + 1
        heap[1] = weight << _WEIGHT_SHIFT | depth << _NUMBER_BITS | node
        node += 1
        _sift(heap, count, 1)
        if count < 2:
            break
    numbers[:] = 0
    lengths[heap[1] & _NUMBER] = 0
    overflow = 0
    for h in range(end, _HEAP):
        n, weight = order[h] & _NUMBER, order[h] >> _WEIGHT_SHIFT
        length = lengths[parents[n]] + 1
        if length > longest:
            length = longest
            overflow += 1
        lengths[n] = length
        if n < elements:
            numbers[length] += 1
            bits += weight * (length + extra[n])
            fixed_bits += weight * (fixed[n] + extra[n])
    if overflow:
        while overflow > 0:
            length = longest - 1
            while numbers[length] == 0:
                length -= 1
            numbers[length] -= 1
            numbers[length + 1] += 2
            numbers[longest] -= 1
            overflow -= 2
        h = _HEAP
        for length in range(longest, 0, -1):
            left = numbers[length]
            while left:
                h -= 1
                n = order[h] & _NUMBER
                if n >= elements:
                    continue
                if lengths[n] != length:
                    bits += (length - lengths[n]) * (order[h] >> _WEIGHT_SHIFT)
                    lengths[n] = length
                left -= 1
    return highest, bits, fixed_bits


@compiled
def _count_codes(lengths, highest, counts):
    """How often each code of the header occurs: lengths, and repetitions of lengths."""
    before, following, run = -1, lengths[0], 0
    most, fewest = (138, 3) if following == 0 else (7, 4)
    for n in range(highest + 1):
        length = following
        following = lengths[n + 1] if n < highest else -1
        run += 1
        if run < most and length == following:
            continue
        if run < fewest:
            counts[length] += run
        elif length:
            if length != before:
                counts[length] += 1
            counts[16] += 1
        elif run <= 10:
            counts[17] += 1
        else:
            counts[18] += 1
        run, before = 0, length
        if following == 0:
            most, fewest = 138, 3
        elif length == following:
            most, fewest = 6, 3
        else:
            most, fewest = 7, 4


@compiled
def _stream_length(counts, size, lengths, codes, space):
    """Bytes of the gzip stream of a text, from how often each symbol occurs."""
    highest, bits, fixed_bits = _tree(counts[:_LITERALS], _EXTRA, _FIXED, 15, lengths, space)
    codes[:] = 0
    _count_codes(lengths, highest, codes)
    highest, more, more_fixed = _tree(
        counts[_LITERALS:], _EXTRA_OF_DISTANCES, _FIXED_OF_DISTANCES, 15, lengths, space
    )
    _count_codes(lengths, highest, codes)
    _, of_codes, _ = _tree(codes, _EXTRA_OF_CODES, _EXTRA_OF_CODES, 7, lengths, space)
    index = _LENGTHS_OF_CODES - 1
    while index >= 3 and lengths[_ORDER_OF_CODES[index]] == 0:
        index -= 1
    dynamic = (bits + more + of_codes + 3 * (index + 1) + 14 + 3 + 7) >> 3
    best = min(dynamic, (fixed_bits + more_fixed + 3 + 7) >> 3)
    return (size + 5 if size + 4 <= best else best) + _HEADER_AND_TRAILER


@compiled
def _comes_first(one, i, other, j):
    """Whether text i is not after text j in the order of bytes."""
    start, base = one.starts[i], other.starts[j]
    length, length_of_other = one.starts[i + 1] - start, other.starts[j + 1] - base
    for place in range(min(length, length_of_other)):
        a, b = one.data[start + place], other.data[base + place]
        if a != b:
            return a < b
    return length <= length_of_other


@compiled
def _joined_lengths(one, other, places, found):
    both = np.zeros(LONGEST + _LONGEST_MATCH, np.uint8)
    counts, codes = np.zeros(_SYMBOLS, np.int64), np.zeros(_LENGTHS_OF_CODES, np.int64)
    lengths = np.zeros(_HEAP, np.int64)
    space = (
        np.zeros(_HEAP + 1, np.int64),
        np.zeros(_HEAP, np.int64),
        np.zeros(_HEAP, np.int64),
        np.zeros(16, np.int64),
    )
    for pair in range(len(places)):
        i, j = places[pair, 0], places[pair, 1]
        size_of_one = one.starts[i + 1] - one.starts[i]
        size = size_of_one + other.starts[j + 1] - other.starts[j]
        if one.states[i, 0] < 0 or other.states[j, 0] < 0 or size > LONGEST or size_of_one in (0, size):
            found[pair] = UNKNOWN
            continue
        if _comes_first(one, i, other, j):
            _count_symbols(one, i, other, j, both, counts)
        else:
            _count_symbols(other, j, one, i, both, counts)
        found[pair] = _stream_length(counts, size, lengths, codes, space)


def joined_lengths(one: Prepared, other: Prepared, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Length of the gzip stream of each pair of texts (i of one, j of the other), joined in alphabetical order.

    UNKNOWN if a text is empty, or if the texts are too long or too repetitive.
    """
    found = np.zeros(len(places), np.int64)
    _joined_lengths(one, other, places, found)
    return found

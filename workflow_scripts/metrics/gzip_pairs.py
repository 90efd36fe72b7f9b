"""Likeness by compression: mean over pairs of rows of one minus their normalised compression distance."""

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from workflow_scripts.metrics.base import Batch, Features, Metric

MOST_DOCUMENTS = 64  # of a batch
PARTNERS = 4  # rows of the other batch that each row is paired with
LEVEL = 9  # the default of Python's gzip
GZIP_FORMAT = 16  # added to the window's bits; selects gzip's header and trailer, 18 bytes
LARGEST_WINDOW = 15
LOOKAHEAD = 262  # zlib looks back at most by the window minus this


class GzipPairs(Metric):
    """Mean of 1 - NCD(s, t), NCD(s, t) = (C(st) - min(C(s), C(t))) / max(C(s), C(t)), C being the gzipped length.

    Rows are compared in pairs, not as whole batches, because deflate looks back at most 32 kB: beyond that, it does
    not even recognise a copy of a text. The first 64 rows of a batch are used. Row i is paired with the rows
    i + k n / 4, k = 0..3, of the other batch (modulo their number n). So every row is used equally often, and both
    sides give the same pairs. The two texts are joined in alphabetical order, which makes the measure symmetric.
    Reference: Cilibrasi and Vitanyi, "Clustering by compression", IEEE Transactions on Information Theory 51 (2005).
    """

    name = "gzip_pairs"
    version = 2
    needs = ("text",)
    answers = True

    def features(self, batch: Batch) -> Features:
        from workflow_scripts.compression.deflate_size import prepared

        assert batch.texts is not None
        texts = [text.encode() for text in batch.texts[:MOST_DOCUMENTS]]
        data = np.frombuffer(b"".join(texts), dtype=np.uint8)
        ends = np.cumsum([len(text) for text in texts])
        compressed = np.array([compressed_length(text) for text in texts])
        return {"compressed": compressed, **prepared(data, ends)._asdict()}

    def compare(self, source: Features, target: Features) -> float:
        return float(self.table([source], [target])[0, 0])

    def table(self, sources: Sequence[Features], targets: Sequence[Features]) -> np.ndarray:
        def one_row(source: Features) -> list[float]:
            return [_alignment(source, target) for target in targets]

        with ThreadPoolExecutor(
            self.resources.threads
        ) as pool:  # compiled code releases the interpreter's lock
            return np.array(list(pool.map(one_row, sources)))


def compressed_length(text: bytes) -> int:
    """len(gzip.compress(text)), faster: the window is no larger than the text can use, which gives the same stream."""
    window = min(LARGEST_WINDOW, max(9, (len(text) + LOOKAHEAD).bit_length()))
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, window + GZIP_FORMAT)
    return len(compressor.compress(text)) + len(compressor.flush())


@cache
def knows_this_zlib() -> bool:
    """Whether `deflate_size` has the lengths of this machine's zlib: others, such as zlib-ng, compress differently."""
    from workflow_scripts.compression.deflate_size import joined_lengths, prepared

    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("etaoins"), size)) for size in rng.integers(1, 9, 60)]
    texts = [" ".join(rng.choice(words, size)).encode() for size in rng.integers(5, 150, 12)]
    made = prepared(np.frombuffer(b"".join(texts), np.uint8), np.cumsum([len(text) for text in texts]))
    places = np.array([(i, j) for i in range(len(texts)) for j in range(len(texts))])
    real = [compressed_length(b"".join(sorted((texts[i], texts[j])))) for i, j in places]
    return bool((joined_lengths(made, made, places) == real).all())


def partner_offsets(n: int) -> list[int]:
    """Differences of the indices of paired rows; the same pairs from either batch."""
    forward = {k * n // PARTNERS for k in range(PARTNERS // 2 + 1)}
    return sorted(forward | {-offset % n for offset in forward})


def _text(features: Features, number: int) -> bytes:
    start, end = features["starts"][number : number + 2]
    return features["data"][start:end].tobytes()


def _alignment(source: Features, target: Features) -> float:
    from workflow_scripts.compression.deflate_size import UNKNOWN, Prepared, joined_lengths

    n = min(len(source["compressed"]), len(target["compressed"]))
    places = np.array([(i, (i + offset) % n) for offset in partner_offsets(n) for i in range(n)])
    texts, others = (
        Prepared(*(features[name] for name in Prepared._fields)) for features in (source, target)
    )
    both = joined_lengths(texts, others, places) if knows_this_zlib() else np.full(len(places), UNKNOWN)
    for pair in np.flatnonzero(both == UNKNOWN):
        i, j = places[pair]
        both[pair] = compressed_length(b"".join(sorted((_text(source, i), _text(target, j)))))
    lengths = source["compressed"][places[:, 0]], target["compressed"][places[:, 1]]
    return float(np.mean(1 - (both - np.minimum(*lengths)) / np.maximum(*lengths)))

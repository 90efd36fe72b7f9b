"""Likeness by compression: mean over pairs of rows of one minus their normalised compression distance."""

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

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
        assert batch.texts is not None
        texts = [text.encode() for text in batch.texts[:MOST_DOCUMENTS]]
        return {
            "bytes": np.frombuffer(b"".join(texts), dtype=np.uint8),
            "ends": np.cumsum([len(text) for text in texts]),
            "lengths": np.array([compressed_length(text) for text in texts]),
        }

    def compare(self, source: Features, target: Features) -> float:
        return _alignment(_texts(source), source["lengths"], _texts(target), target["lengths"])

    def table(self, sources: Sequence[Features], targets: Sequence[Features]) -> np.ndarray:
        split_targets = [(_texts(target), target["lengths"]) for target in targets]

        def one_row(source: Features) -> list[float]:
            texts = _texts(source)
            return [_alignment(texts, source["lengths"], *target) for target in split_targets]

        with ThreadPoolExecutor(self.resources.threads) as pool:  # zlib releases the interpreter's lock
            return np.array(list(pool.map(one_row, sources)))


def compressed_length(text: bytes) -> int:
    """len(gzip.compress(text)), faster: the window is no larger than the text can use, which gives the same stream."""
    window = min(LARGEST_WINDOW, max(9, (len(text) + LOOKAHEAD).bit_length()))
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, window + GZIP_FORMAT)
    return len(compressor.compress(text)) + len(compressor.flush())


def partner_offsets(n: int) -> list[int]:
    """Differences of the indices of paired rows; the same pairs from either batch."""
    forward = {k * n // PARTNERS for k in range(PARTNERS // 2 + 1)}
    return sorted(forward | {-offset % n for offset in forward})


def _texts(features: Features) -> list[bytes]:
    whole = features["bytes"].tobytes()
    starts = [0, *features["ends"][:-1].tolist()]
    return [whole[start:end] for start, end in zip(starts, features["ends"].tolist(), strict=True)]


def _alignment(
    source: list[bytes], source_lengths: np.ndarray, target: list[bytes], target_lengths: np.ndarray
) -> float:
    n = min(len(source), len(target))
    values = []
    for offset in partner_offsets(n):
        for i in range(n):
            j = (i + offset) % n
            both = source[i] + target[j] if source[i] <= target[j] else target[j] + source[i]
            shorter, longer = sorted((source_lengths[i], target_lengths[j]))
            values.append(1 - (compressed_length(both) - shorter) / longer)
    return float(np.mean(values))

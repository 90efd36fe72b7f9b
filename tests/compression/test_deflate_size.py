"""Lengths of joined texts are those of gzip, to the byte."""

import gzip
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.compression.deflate_size import LONGEST, UNKNOWN, joined_lengths, prepared
from workflow_scripts.metrics import gzip_pairs
from workflow_scripts.metrics.base import Batch, Resources
from workflow_scripts.metrics.gzip_pairs import GzipPairs

PROSE = (
    "the cat sat on the mat and the dog sat on the log. " * 3 + "a few other words follow, once."
).encode()
CODE = b"def f(x):\n    return g(x)\n\n\ndef g(x):\n    return f(x) + 1\n"


def lengths(texts: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Of every text with every other one: ours, and gzip's."""
    made = prepared(np.frombuffer(b"".join(texts), np.uint8), np.cumsum([len(text) for text in texts]))
    places = np.array(list(itertools.product(range(len(texts)), repeat=2)))
    real = [len(gzip.compress(b"".join(sorted((texts[i], texts[j]))))) for i, j in places]
    return joined_lengths(made, made, places), np.array(real)


def drawn(seed: int) -> list[bytes]:
    """Texts of many kinds: prose, few and many different bytes, skewed frequencies, repetitions, one to 900 bytes."""
    rng = np.random.default_rng(seed)
    skewed = 0.5 ** np.arange(1, 13)
    texts = [
        PROSE[rng.integers(60) :],
        CODE * rng.integers(1, 4),
        rng.integers(0, 256, rng.integers(1, 900), dtype=np.uint8).tobytes(),
        rng.integers(97, 99, rng.integers(1, 400), dtype=np.uint8).tobytes(),
        rng.choice(
            np.arange(97, 109, dtype=np.uint8), rng.integers(1, 900), p=skewed / skewed.sum()
        ).tobytes(),
        bytes([rng.integers(256)]) * rng.integers(1, 300),
        bytes(range(rng.integers(1, 256))),
        b" ".join(rng.choice(PROSE.split(), rng.integers(1, 120))),
    ]
    return [*texts, texts[0][:3], texts[1] + texts[2]]


@pytest.mark.parametrize("seed", range(20))
def test_lengths_are_gzips(seed):
    ours, real = lengths(drawn(seed))
    assert (ours == real).all()


@given(
    st.lists(
        st.binary(min_size=1, max_size=60) | st.text("ab c", min_size=1).map(str.encode),
        min_size=2,
        max_size=4,
    )
)
@settings(max_examples=60)
def test_lengths_of_any_short_texts_are_gzips(texts):
    ours, real = lengths(texts)
    assert (ours == real).all()


def test_texts_beyond_its_limits_have_no_length_and_are_compressed_instead():
    texts = [b"", b"a" * 1000, PROSE * (LONGEST // len(PROSE)), CODE]
    ours, real = lengths(texts)
    known = ours != UNKNOWN
    assert (ours[known] == real[known]).all()
    assert not known.reshape(4, 4)[:2].any() and not known.reshape(4, 4)[2, 3] and known.reshape(4, 4)[3, 3]
    metric = GzipPairs(Resources())
    batch = metric.features(Batch(4, 0, texts=tuple(text.decode() for text in texts)))
    alone = np.array([len(gzip.compress(text)) for text in texts])
    of_pairs = real.reshape(4, 4) - np.minimum(alone[:, None], alone)
    expected = 1 - of_pairs / np.maximum(alone[:, None], alone)
    assert metric.compare(batch, batch) == pytest.approx(expected.mean())


def test_with_another_zlib_all_lengths_are_its_own(monkeypatch):
    assert gzip_pairs.knows_this_zlib()
    batch = Batch(3, 0, texts=tuple(text.decode() for text in (PROSE, CODE, PROSE[50:])))
    expected = GzipPairs(Resources()).compare(*[GzipPairs(Resources()).features(batch)] * 2)
    monkeypatch.setattr(gzip_pairs, "LEVEL", 1)  # whose lengths differ
    gzip_pairs.knows_this_zlib.cache_clear()
    try:
        assert not gzip_pairs.knows_this_zlib()
        fast = GzipPairs(Resources())
        found = fast.compare(*[fast.features(batch)] * 2)
    finally:
        gzip_pairs.knows_this_zlib.cache_clear()
    assert found != expected

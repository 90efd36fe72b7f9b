"""What decides a model's output, as one digest."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.errors import UserError
from workflow_scripts.storage.content_store import content_key, file_digest
from workflow_scripts.storage.folders import check_folder
from workflow_scripts.storage.tables import read_plain_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def weights_digest(folder: str | Path) -> str:
    """SHA-256 of a model's weights; of several files, of their names and digests."""
    files = sorted(Path(folder).glob("*.safetensors"))
    if not files:
        raise UserError(f"{folder} holds no safetensors weights")
    if len(files) == 1:
        return file_digest(files[0])
    return hashlib.sha256("".join(f"{file.name}{file_digest(file)}" for file in files).encode()).hexdigest()


def model_digest(folder: str | Path) -> str:
    """What decides a model's output: its weights and its configuration, whichever version wrote that down."""
    check_folder(folder)
    config = read_plain_json(Path(folder) / "config.json")
    config.pop("transformers_version", None)
    return content_key(config=config, weights=weights_digest(folder))


def state_digest(model: "PreTrainedModel") -> str:
    """As `model_digest`, of a model in memory, wherever it came from."""
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
    """The libraries that decide the numbers of a training run."""
    from importlib.metadata import version

    return {name: version(name) for name in ("accelerate", "numpy", "torch", "transformers")}

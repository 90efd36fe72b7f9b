"""Models on disk and in memory: any causal language model that transformers knows."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.command_line import UserError
from workflow_scripts.storage.content_store import content_key, file_digest
from workflow_scripts.storage.folders import check_folder, checked_folder, seal_folder
from workflow_scripts.storage.tables import read_plain_json

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


def new_model(
    model: dict[str, Any],
    tokenizer: "PreTrainedTokenizerBase",
    context: int,
    seed: int,
    base: str | Path | None = None,
) -> "PreTrainedModel":
    """The model that a recipe starts from, in float32: fresh weights drawn with `seed`, or given ones."""
    from transformers import AutoModelForCausalLM, set_seed

    if "type" in model:
        config = fresh_config(model["type"], model.get("settings", {}), tokenizer, context)
        set_seed(seed)
        started = AutoModelForCausalLM.from_config(config)
    elif "pretrained" in model:
        started = load_model(model["pretrained"], model.get("revision"))
    elif base is None:
        raise UserError(f"recipe: the model is {model!r}, and no folder of base weights is given (--base)")
    else:
        started = load_model(base)
    longest = getattr(started.config, "max_position_embeddings", None)
    if longest is not None and longest < context:
        raise UserError(f"recipe: context is {context}, and the model reads at most {longest} tokens")
    if started.config.vocab_size < len(tokenizer):
        raise UserError(
            f"the tokenizer has {len(tokenizer)} tokens, and the model's vocabulary {started.config.vocab_size}: "
            "they do not belong together"
        )
    return started


def fresh_config(
    model_type: str, settings: dict[str, Any], tokenizer: "PreTrainedTokenizerBase", context: int
) -> "PreTrainedConfig":
    """The configuration of a model trained from scratch.

    The tokenizer says what the vocabulary and the end-of-sequence token are, and the context how many positions are
    needed, unless the settings do. A pad token is not set: nothing reads it, and some models would freeze its row.
    """
    from transformers import AutoConfig

    try:
        defaults = AutoConfig.for_model(model_type)
    except ValueError:
        raise UserError(f"recipe: model type {model_type!r} is not one that transformers knows") from None
    known = {*defaults.to_dict(), *defaults.attribute_map}
    for key in settings:
        if key not in known:
            raise UserError(
                f"recipe: a {model_type} model has no setting {key!r}; known are {', '.join(sorted(known))}"
            )
    positions = "max_position_embeddings"
    given = {defaults.attribute_map.get(key, key) for key in settings}
    filled = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": None,
    }
    if positions in known and defaults.attribute_map.get(positions, positions) not in given:
        filled[positions] = context
    try:
        return AutoConfig.for_model(model_type, **{**filled, **settings})
    except (TypeError, ValueError) as error:
        raise UserError(f"recipe: {model_type} settings {settings!r} are refused: {error}") from error


def load_model(name: str | Path, revision: str | None = None) -> "PreTrainedModel":
    """Weights from a folder or the Hub, in float32; safetensors only, and never code from elsewhere."""
    from transformers import AutoModelForCausalLM

    with checked_folder(name, "model"):
        return AutoModelForCausalLM.from_pretrained(
            str(name), revision=revision or "main", dtype="float32", use_safetensors=True
        )


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of `folder` when the block ends without an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        written = Path(temporary) / folder.name
        yield written
        if folder.exists():
            shutil.rmtree(folder)
        written.rename(folder)


def save_model(model: "PreTrainedModel", folder: Path) -> None:
    """Write a model as safetensors and JSON, with a list of their checksums."""
    with written_whole(folder) as written:
        model.save_pretrained(written)
        for file in written.iterdir():
            file.chmod(0o644)
        seal_folder(written, folder)


def copy_model(source: Path, folder: Path) -> None:
    """Copy a model that is as it was written; the copy is sealed for its own place."""
    check_folder(source)
    with written_whole(folder) as written:
        shutil.copytree(source, written)
        seal_folder(written, folder)


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


def quiet_transformers() -> None:
    """No progress bars and no advice in the logs of jobs; warnings stay."""
    from transformers.utils import logging

    logging.set_verbosity_warning()
    logging.disable_progress_bar()


def library_versions() -> dict[str, str]:
    """The libraries that decide the numbers of a training run."""
    from importlib.metadata import version

    return {name: version(name) for name in ("accelerate", "numpy", "torch", "transformers")}

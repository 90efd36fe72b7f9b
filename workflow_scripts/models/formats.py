"""Folders of weights that are not a whole model in plain numbers: LoRA adapters, and quantised checkpoints.

Adapters are merged into their base by the optional package peft. Quantised weights are refused: gradients do not reach
them, so they have no Fisher information, and they cannot be trained further.
"""

import importlib.util
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import read_plain_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
INSTALL_PEFT = ".venv/bin/pip install '.[lora]' in the checkout"


def is_adapter(folder: str | Path) -> bool:
    return (Path(folder) / ADAPTER_CONFIG).is_file()


def check_format(folder: str | Path) -> None:
    """Refuse a folder whose weights cannot be used, from its JSON files only. Names on the Hub pass."""
    folder = Path(folder)
    if is_adapter(folder):
        _check_adapter(folder)
    elif (folder / "config.json").is_file():
        check_plain_weights(read_plain_json(folder / "config.json"), folder)


def check_plain_weights(config: dict[str, Any], name: str | Path) -> None:
    """Refuse a checkpoint that its configuration calls quantised."""
    quantised = config.get("quantization_config")
    if quantised:
        method = quantised.get("quant_method", "an unknown method")
        raise UserError(
            f"{name} has quantised weights ({method}), which have no gradients: name the checkpoint that it was made "
            "from, or dequantise it with transformers (model.dequantize()) and save it with save_pretrained"
        )


def _check_adapter(folder: Path) -> None:
    base = read_plain_json(folder / ADAPTER_CONFIG).get("base_model_name_or_path")
    if importlib.util.find_spec("peft") is None:
        raise UserError(
            f"{folder} is an adapter of {base}, not a whole model: install peft ({INSTALL_PEFT}), or merge the adapter "
            "with peft's merge_and_unload, save the result with save_pretrained, and name that folder"
        )
    if not base:
        raise UserError(
            f"{folder} is an adapter whose {ADAPTER_CONFIG} names no base; add base_model_name_or_path"
        )
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise UserError(
            f"{folder} is an adapter without {ADAPTER_WEIGHTS}; other formats can run code and are never read, "
            "so save it with save_pretrained"
        )


def base_of(adapter: str | Path) -> tuple[str, str | None]:
    """The folder or name of the model that an adapter changes, and its revision."""
    settings = read_plain_json(Path(adapter) / ADAPTER_CONFIG)
    return settings["base_model_name_or_path"], settings.get("revision")


def count_weights(folder: str | Path) -> int:
    """Numbers in the safetensors files of a folder, from their headers; 0 without such files."""
    total = 0
    for file in sorted(Path(folder).glob("*.safetensors")):
        with file.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        total += sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    return total


def merged(base: "PreTrainedModel", folder: str | Path) -> "PreTrainedModel":
    """An adapter's base with the adapter added to its weights."""
    from peft import PeftModel

    try:
        adapted: Any = PeftModel.from_pretrained(base, str(folder), use_safetensors=True)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
        raise UserError(f"the adapter {folder} does not fit its base: {reason}") from error
    if not hasattr(adapted, "merge_and_unload"):
        raise UserError(
            f"{folder} is an adapter of a kind that cannot be merged into its base ({adapted.peft_type.value}); "
            "only adapters of weights can, such as LoRA"
        )
    return adapted.merge_and_unload(safe_merge=True)

"""Load weights from a folder or the Hub: only safetensors, and never foreign code."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.errors import UserError
from workflow_scripts.models.formats import (
    base_of,
    check_format,
    check_plain_weights,
    is_adapter,
    merged,
)
from workflow_scripts.storage.folders import checked_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from workflow_scripts.tokens.rows import Rows


def load_model(name: str | Path, revision: str | None = None, device: str = "cpu") -> "PreTrainedModel":
    """A causal language model in float32: a folder, in one file or several, a name on the Hub, or a LoRA adapter."""
    from transformers import AutoConfig, AutoModelForCausalLM

    quiet_transformers()
    with checked_folder(name, "model"):
        check_format(name)
        if is_adapter(name):
            base, its_revision = base_of(name)
            return merged(load_model(base, its_revision, device), name)
        # Read first, so that the weights of a quantised checkpoint on the Hub are not even downloaded.
        config = AutoConfig.from_pretrained(str(name), revision=revision or "main", trust_remote_code=False)
        check_plain_weights(config.to_dict(), name)
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(name),
            revision=revision or "main",
            dtype="float32",
            use_safetensors=True,
            trust_remote_code=False,
        )
    return model.to(device)


def load_reader(folder: Path, device: str = "cpu") -> "PreTrainedModel":
    """A model for inference: no dropout, no gradients."""
    return load_model(folder, device=device).eval().requires_grad_(False)


def shape_of(folder: Path) -> "PreTrainedModel":
    """The model of a folder without its weights: only names and shapes."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with checked_folder(folder, "model"), torch.device("meta"):
        check_format(folder)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False)


def check_fit(rows: "Rows", model: "PreTrainedModel", path: Path) -> None:
    """Check that the probe's vocabulary has every token of the rows, and that it has enough positions."""
    tokens: Any = model.get_input_embeddings()
    vocabulary = tokens.weight.shape[0]
    if int(rows.input_ids.max()) >= vocabulary:
        raise UserError(
            f"{path} has the token {int(rows.input_ids.max())}, and the probe's vocabulary has {vocabulary} tokens; "
            "make both with the same tokenizer"
        )
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions is not None and rows.length > positions:
        raise UserError(
            f"{path} has rows of {rows.length} tokens, and the probe reads at most {positions}; lower rows.length"
        )


def quiet_transformers() -> None:
    """Turn off progress bars and advice in the logs of jobs; warnings are kept."""
    from transformers.utils import logging

    logging.set_verbosity_warning()
    logging.disable_progress_bar()

"""The probe as a reader of rows: its weights' name, its last hidden states, its loss."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workflow_scripts.command_line import UserError
from workflow_scripts.storage.content_store import content_key, file_digest
from workflow_scripts.storage.folders import check_folder, checked_folder
from workflow_scripts.tokens.rows import Rows

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

ROWS_AT_ONCE = 8


def probe_key(folder: Path) -> str:
    """Names the weights and the shape of a probe by their content."""
    check_folder(folder)
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("config.json")])
    if not any(file.suffix == ".safetensors" for file in files):
        raise UserError(f"{folder} holds no weights (*.safetensors)")
    return content_key(**{file.name: file_digest(file) for file in files})


def load_probe(folder: Path) -> "PreTrainedModel":
    """The probe in float32, for reading only: no dropout, no gradients."""
    import torch
    from transformers import AutoModelForCausalLM

    with checked_folder(folder, "probe"):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    return model.eval().requires_grad_(False)


def _portions(rows: Rows) -> Iterator[tuple["torch.Tensor", "torch.Tensor"]]:
    """Ids and mask of a few rows at a time."""
    import torch

    for start in range(0, len(rows), ROWS_AT_ONCE):
        portion = rows.take(np.arange(start, min(start + ROWS_AT_ONCE, len(rows))))
        yield torch.from_numpy(portion.input_ids).long(), torch.from_numpy(portion.attention_mask)


def mean_hidden_state(model: "PreTrainedModel", rows: Rows) -> np.ndarray:
    """Mean over all real tokens of the state that the output head reads."""
    total = np.zeros(model.config.hidden_size)
    for input_ids, mask in _portions(rows):
        states = model.base_model(input_ids=input_ids, attention_mask=mask.long()).last_hidden_state
        total += states[mask].double().sum(dim=0).numpy()
    return total / rows.n_tokens.sum()


def mean_loss(model: "PreTrainedModel", rows: Rows) -> float:
    """Cross-entropy in nats per predicted token: every real token but the first of its row."""
    from torch.nn.functional import cross_entropy

    total = 0.0
    for input_ids, mask in _portions(rows):
        logits = model(input_ids=input_ids, attention_mask=mask.long()).logits[:, :-1]
        scored = mask[:, 1:]
        total += cross_entropy(logits[scored], input_ids[:, 1:][scored], reduction="sum").item()
    return total / (rows.n_tokens - 1).sum()

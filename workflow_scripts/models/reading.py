"""Hidden states and losses of a model on rows."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from workflow_scripts.tokens.rows import Rows

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

ROWS_AT_ONCE = 8


def _portions(rows: Rows, device: "torch.device") -> Iterator[tuple[slice, "torch.Tensor", "torch.Tensor"]]:
    """Places, ids and mask of a few rows at a time; the latter two on the device."""
    import torch

    for start in range(0, len(rows), ROWS_AT_ONCE):
        places = slice(start, min(start + ROWS_AT_ONCE, len(rows)))
        portion = rows.take(np.arange(places.start, places.stop))
        ids, mask = torch.from_numpy(portion.input_ids).long(), torch.from_numpy(portion.attention_mask)
        yield places, ids.to(device), mask.to(device)


def mean_hidden_state(model: "PreTrainedModel", rows: Rows, averaged: np.ndarray) -> np.ndarray:
    """Mean hidden state before the output head, over the real tokens where `averaged` (rows, length) is true."""
    import torch

    total = np.zeros(model.config.hidden_size)
    for places, input_ids, mask in _portions(rows, model.device):
        states = model.base_model(input_ids=input_ids, attention_mask=mask.long()).last_hidden_state
        kept = torch.from_numpy(averaged[places]).to(model.device)
        total += states[kept].double().sum(dim=0).cpu().numpy()
    return total / averaged.sum()


def mean_loss(model: "PreTrainedModel", rows: Rows) -> float:
    """Cross-entropy in nats per predicted token; all real tokens except the first of each row are predicted."""
    from torch.nn.functional import cross_entropy

    total = 0.0
    for _, input_ids, mask in _portions(rows, model.device):
        logits = model(input_ids=input_ids, attention_mask=mask.long()).logits[:, :-1]
        scored = mask[:, 1:]
        total += cross_entropy(logits[scored], input_ids[:, 1:][scored], reduction="sum").item()
    return total / (rows.n_tokens - 1).sum()

"""Figures that the oracle gave once, so that the engine and the oracle cannot drift together.

Written by `PLUMBLINE_WRITE_GOLDEN=1 pytest tests/fisher/test_own_golden.py`.
"""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from workflow_scripts.fisher.embedding import embed
from workflow_scripts.fisher.estimator import Estimator

FIGURES = Path(__file__).parent / "golden"
ESTIMATORS = {
    "corrected": Estimator.corrected(),
    "published": dataclasses.replace(Estimator.published(), minibatch=2, dropout=False),
}


@pytest.mark.parametrize("name", ["gpt2", "gpt2_gram", "neox", "llama", "qwen3"])
def test_figures_are_those_kept(
    name: str,
    probe: Callable[..., PreTrainedModel],
    rows: Callable[..., tuple[torch.Tensor, torch.Tensor]],
    oracle: Callable[..., torch.Tensor],
) -> None:
    torch.set_num_threads(1)
    model, path = probe(name), FIGURES / f"{name}.safetensors"
    if os.environ.get("PLUMBLINE_WRITE_GOLDEN"):
        model.float().double()  # weights are kept in single precision
        ids, mask = rows()
        labels = torch.randint(0, 83, (2, *ids.shape), generator=torch.Generator().manual_seed(1))
        kept = {f"model.{key}": value.float().clone() for key, value in model.state_dict().items()}
        kept |= {"input_ids": ids, "attention_mask": mask, "labels": labels}
        for estimator, fields in ESTIMATORS.items():
            kept[estimator] = oracle(model, ids, mask, labels, fields)
        FIGURES.mkdir(exist_ok=True)
        save_file(kept, path)
    kept = load_file(path)
    model.load_state_dict({key[6:]: value for key, value in kept.items() if key.startswith("model.")})
    for estimator, fields in ESTIMATORS.items():
        found = embed(model, kept["input_ids"], kept["attention_mask"], fields, labels=kept["labels"])
        torch.testing.assert_close(found, kept[estimator].float(), rtol=1e-5, atol=0)

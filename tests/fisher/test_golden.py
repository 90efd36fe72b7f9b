"""Figures of the released code and of a brute-force oracle, module by module."""

import json
import os
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from workflow_scripts.fisher.distance import distance
from workflow_scripts.fisher.embedding import embed
from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.fisher.layout import layout

pytestmark = pytest.mark.skipif(not os.environ.get("PLUMBLINE_SHARED"), reason="PLUMBLINE_SHARED is not set")

CASES = ["full_noft", "padded_ft2", "padded_noft"]


@cache
def golden() -> tuple[dict, dict[str, torch.Tensor]]:
    folder = Path(os.environ["PLUMBLINE_SHARED"]) / "golden"
    return json.loads((folder / "golden.json").read_text()), load_file(folder / "golden.safetensors")


def with_golden_weights(model: PreTrainedModel, prefix: str) -> PreTrainedModel:
    weights = {
        name.removeprefix(prefix): value for name, value in golden()[1].items() if name.startswith(prefix)
    }
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected
    assert set(missing) <= {"lm_head.weight"}
    model.tie_weights()
    return model


@cache
def small_gpt2() -> PreTrainedModel:
    options = dict(golden()[0]["config"])
    dropout = options.pop("dropout")
    config = GPT2Config(**options, resid_pdrop=dropout, embd_pdrop=dropout, attn_pdrop=dropout)
    return with_golden_weights(GPT2LMHeadModel(config), "model.")


@cache
def published(case: str) -> torch.Tensor:
    meta, tensors = golden()
    return embed(
        small_gpt2(),
        tensors[f"{case}.input_ids"],
        tensors[f"{case}.attention_mask"],
        Estimator.published(),
        labels=tensors[f"{case}.published.labels"],
        head_epochs=meta["cases"][case]["head_epochs_published"],
    )


def assert_modules_match(model: PreTrainedModel, found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.shape == expected.shape
    for name, _, place in layout(model):
        error = (found[place] - expected[place]).norm() / expected[place].norm()
        assert error < 1e-5, f"{name}: {error:.1e}"


@pytest.mark.parametrize("case", CASES)
def test_published(case: str) -> None:
    assert_modules_match(small_gpt2(), published(case), golden()[1][f"{case}.published.embedding"])


@pytest.mark.parametrize("case", CASES)
def test_corrected(case: str) -> None:
    tensors = golden()[1]
    found = embed(
        small_gpt2(),
        tensors[f"{case}.input_ids"],
        tensors[f"{case}.attention_mask"],
        Estimator.corrected(),
        labels=tensors[f"{case}.corrected.labels"],
    )
    assert_modules_match(small_gpt2(), found, tensors[f"{case}.corrected.embedding"])


@pytest.mark.parametrize(
    ("case", "model_class", "config_class"),
    [("gpt2_wide", GPT2LMHeadModel, GPT2Config), ("llama_untied", LlamaForCausalLM, LlamaConfig)],
)
def test_corrected_of_other_shapes(case: str, model_class: type, config_class: type) -> None:
    meta, tensors = golden()
    model = with_golden_weights(model_class(config_class(**meta["more"][case]["config"])), f"{case}.model.")
    found = embed(
        model,
        tensors[f"{case}.input_ids"],
        tensors[f"{case}.attention_mask"],
        Estimator.corrected(),
        labels=tensors[f"{case}.corrected.labels"],
    )
    assert_modules_match(model, found, tensors[f"{case}.corrected.embedding"])
    assert [[name, place.stop - place.start] for name, _, place in layout(model)] == meta["more"][case][
        "modules"
    ]


@pytest.mark.parametrize("pair", ["full_noft~padded_ft2", "full_noft~padded_noft", "padded_ft2~padded_noft"])
def test_published_distances(pair: str) -> None:
    first, second = pair.split("~")
    found = distance(published(first), published(second), epsilon=1e-8)
    assert found == pytest.approx(golden()[0]["published_distance"][pair], rel=1e-5)

"""Mixtures of experts: the matrix of each expert has a coordinate per row, as a linear layer of its own would have."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    GptOssConfig,
    GptOssForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    OlmoeConfig,
    OlmoeForCausalLM,
    PreTrainedModel,
    Qwen2MoeConfig,
    Qwen2MoeForCausalLM,
)

from workflow_scripts.fisher.batch_cache import BatchCache
from workflow_scripts.fisher.embedding import embed
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.layout import layout
from workflow_scripts.storage.content_store import ContentStore
from workflow_scripts.tokens.rows import Rows

Oracle = Callable[..., torch.Tensor]
RowMaker = Callable[..., tuple[torch.Tensor, torch.Tensor]]
Randomiser = Callable[[PreTrainedModel], PreTrainedModel]

EXPERTS, WIDTH, INNER = 3, 16, 12
SETTINGS = {
    "vocab_size": 83,
    "pad_token_id": None,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": INNER,
    "moe_intermediate_size": INNER,
    "shared_expert_intermediate_size": 8,
    "max_position_embeddings": 16,
    "head_dim": 8,
    "num_experts_per_tok": 2,
    "num_local_experts": EXPERTS,
    "num_experts": EXPERTS,
    "tie_word_embeddings": False,
}
KINDS: dict[str, tuple[type, type]] = {
    "mixtral": (MixtralConfig, MixtralForCausalLM),
    "qwen2_moe": (Qwen2MoeConfig, Qwen2MoeForCausalLM),
    "olmoe": (OlmoeConfig, OlmoeForCausalLM),
    "gpt_oss": (GptOssConfig, GptOssForCausalLM),
}


def mixture(kind: str, implementation: str = "eager") -> PreTrainedModel:
    config_class, model_class = KINDS[kind]
    known = config_class().to_dict()
    config = config_class(**{key: value for key, value in SETTINGS.items() if key in known})
    config._experts_implementation = implementation  # only this one has double precision
    model: PreTrainedModel = model_class(config)
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("square", ["row", "minibatch"])
def test_mixtures_match_plain_autograd(
    kind: str, square: str, randomise: Randomiser, rows: RowMaker, oracle: Oracle
) -> None:
    torch.set_num_threads(1)
    model, (ids, mask) = randomise(mixture(kind)), rows()
    labels = torch.randint(0, 83, (2, *ids.shape), generator=torch.Generator().manual_seed(0))
    estimator = dataclasses.replace(Estimator.corrected(), square=square, minibatch=3)
    found = embed(model, ids, mask, estimator, labels=labels, microbatch=3)
    torch.testing.assert_close(
        found, oracle(model, ids, mask, labels, estimator).float(), rtol=1e-5, atol=1e-12
    )
    # gpt-oss stores its matrices the other way round, as GPT-2 does, so that rows are inputs.
    rows_of = {"gate_up_proj": WIDTH, "down_proj": INNER}
    if kind != "gpt_oss":
        rows_of = {"gate_up_proj": 2 * INNER, "down_proj": WIDTH}
    fused = {
        name: (kind, piece.stop - piece.start) for name, kind, piece in layout(model) if "experts." in name
    }
    for layer in range(2):
        for name, count in rows_of.items():
            assert fused.pop(f"model.layers.{layer}.mlp.experts.{name}") == ("experts", EXPERTS * count)
    assert not fused


class SeparateExperts(nn.Module):
    """Mixtral's experts with a linear layer for each matrix of each expert."""

    def __init__(self, fused: nn.Module):
        super().__init__()
        self.act_fn = fused.act_fn
        self.gate_up, self.down = (
            nn.ModuleList(self._linear(matrix) for matrix in weights)
            for weights in (fused.gate_up_proj, fused.down_proj)
        )

    @staticmethod
    def _linear(matrix: torch.Tensor) -> nn.Linear:
        layer = nn.Linear(matrix.shape[1], matrix.shape[0], bias=False, dtype=matrix.dtype)
        layer.weight.data = matrix.detach().clone()
        return layer

    def forward(self, hidden: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(hidden)
        for expert, (gate_up, down) in enumerate(zip(self.gate_up, self.down, strict=True)):
            share = (weights * (chosen == expert)).sum(-1, keepdim=True)
            gate, up = gate_up(hidden).chunk(2, dim=-1)
            total = total + share * down(self.act_fn(gate) * up)
        return total


def test_fused_experts_have_the_coordinates_of_separate_linear_layers(
    randomise: Randomiser, rows: RowMaker
) -> None:
    fused, (ids, mask) = randomise(mixture("mixtral")), rows()
    labels = torch.randint(0, 83, ids.shape, generator=torch.Generator().manual_seed(0))
    separate = randomise(mixture("mixtral"))
    for layer in separate.model.layers:
        layer.mlp.experts = SeparateExperts(layer.mlp.experts)
    of_fused, of_separate = (
        embed(model, ids, mask, Estimator.corrected(), labels=labels) for model in (fused, separate)
    )
    pieces = {name: piece for name, _, piece in layout(fused)}
    kinds = {name: kind for name, kind, _ in layout(separate)}
    for layer in range(2):
        for ours, theirs in (("gate_up_proj", "gate_up"), ("down_proj", "down")):
            names = [f"model.layers.{layer}.mlp.experts.{theirs}.{expert}" for expert in range(EXPERTS)]
            assert {kinds[name] for name in names} == {"linear"}
            expected = torch.cat([of_separate[piece] for name, _, piece in layout(separate) if name in names])
            torch.testing.assert_close(of_fused[pieces[f"model.layers.{layer}.mlp.experts.{ours}"]], expected)


def test_the_implementation_that_transformers_chooses_gives_the_same(rows: RowMaker) -> None:
    ids, mask = rows()
    labels = torch.randint(0, 83, ids.shape, generator=torch.Generator().manual_seed(0))
    eager = mixture("olmoe").eval()
    chosen = OlmoeForCausalLM(
        OlmoeConfig(**{k: v for k, v in SETTINGS.items() if k in OlmoeConfig().to_dict()})
    )
    chosen.load_state_dict(eager.state_dict())
    first, second = (
        embed(model, ids, mask, Estimator.corrected(), labels=labels) for model in (eager, chosen.eval())
    )
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3 * float(first.max()))


def test_embeddings_with_one_coordinate_per_expert_are_not_reused(tmp_path, rows: RowMaker) -> None:
    ids, mask = rows()
    table = Rows(
        row_ids=[f"{number}" for number in range(len(ids))],
        doc_ids=[()] * len(ids),
        input_ids=ids.numpy().astype(np.int32),
        n_tokens=mask.sum(1).numpy().astype(np.int32),
        loss_mask=mask.numpy(),
    )
    cache = BatchCache.of(mixture("mixtral").eval(), ContentStore(tmp_path))
    assert cache.has_experts
    earlier = dataclasses.replace(cache, has_experts=False)

    def is_kept(one: BatchCache) -> bool:
        return next(one.embed_in_turn(table, [np.arange(5)], [Settings(Estimator.corrected())], 8)).is_kept

    assert not is_kept(earlier) and not is_kept(cache)
    assert is_kept(earlier) and is_kept(cache)

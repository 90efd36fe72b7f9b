"""Weights without a formula, and logits that are more than the head of the body: slow, reported, and right."""

import dataclasses
import logging
from collections.abc import Callable

import pytest
import torch
from transformers import (
    FalconConfig,
    FalconForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPTJConfig,
    GPTJForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
)

from workflow_scripts.fisher.embedding import embed
from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.fisher.layout import layout

Oracle = Callable[..., torch.Tensor]
RowMaker = Callable[..., tuple[torch.Tensor, torch.Tensor]]
Randomiser = Callable[[PreTrainedModel], PreTrainedModel]

COMMON = {"vocab_size": 83, "pad_token_id": None, "bos_token_id": 0, "eos_token_id": 0}
ROTARY = {
    **COMMON,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 16,
}
OPT = {
    **COMMON,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "ffn_dim": 24,
    "num_attention_heads": 2,
    "max_position_embeddings": 16,
    "word_embed_proj_dim": 16,
}


def gemma2(tied: bool) -> PreTrainedModel:
    """Scaled token embedding, norms around one, soft-capped logits."""
    options = {"head_dim": 8, "query_pre_attn_scalar": 8, "tie_word_embeddings": tied}
    return Gemma2ForCausalLM(Gemma2Config(**ROTARY, **options))


def mixtral() -> PreTrainedModel:
    """Experts see their own tokens only, and their weights are fused."""
    config = MixtralConfig(**ROTARY, num_local_experts=3)
    config._experts_implementation = "eager"
    return MixtralForCausalLM(config)


def granite() -> PreTrainedModel:
    options = {"logits_scaling": 2.0, "embedding_multiplier": 3.0, "tie_word_embeddings": False}
    return GraniteForCausalLM(GraniteConfig(**ROTARY, **options))


def opt() -> PreTrainedModel:
    """Positions with an offset, rows flattened before the feed-forward layers."""
    return OPTForCausalLM(OPTConfig(**OPT))


def falcon() -> PreTrainedModel:
    """A linear class of its own, whose output is overwritten in place."""
    return FalconForCausalLM(
        FalconConfig(**COMMON, hidden_size=16, num_hidden_layers=2, num_attention_heads=2)
    )


def gptj() -> PreTrainedModel:
    """A head with a bias, norms read by two branches."""
    return GPTJForCausalLM(GPTJConfig(**COMMON, n_embd=16, n_layer=2, n_head=2, rotary_dim=4, n_positions=16))


@pytest.mark.parametrize(
    ("make", "tied_head", "messages"),
    [
        (lambda: gemma2(True), True, ["model.embed_tokens", "logits"]),
        (lambda: gemma2(False), True, ["model.embed_tokens", "logits"]),
        (granite, True, ["logits"]),
        (mixtral, False, ["model.layers.0.mlp.gate", "model.layers.1.mlp.experts.down_proj"]),
        (opt, False, ["model.decoder.embed_positions", "model.decoder.layers.0.fc1"]),
        (opt, True, ["model.decoder.embed_positions"]),
        (falcon, False, []),
        (gptj, False, []),
    ],
    ids=["gemma2", "gemma2-untied", "granite", "mixtral", "opt", "opt-tied", "falcon", "gptj"],
)
def test_other_architectures(
    make: Callable[[], PreTrainedModel],
    tied_head: bool,
    messages: list[str],
    randomise: Randomiser,
    rows: RowMaker,
    oracle: Oracle,
    caplog: pytest.LogCaptureFixture,
) -> None:
    torch.set_num_threads(1)
    model, (ids, mask) = randomise(make()), rows()
    labels = torch.randint(0, 83, (2, *ids.shape), generator=torch.Generator().manual_seed(0))
    estimator = dataclasses.replace(Estimator.corrected(), tied_head=tied_head)
    with caplog.at_level(logging.WARNING, logger="workflow_scripts"):
        found = embed(model, ids, mask, estimator, labels=labels, microbatch=2)
    expected = oracle(model, ids, mask, labels, estimator)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-12)
    warnings = [record.message for record in caplog.records if record.name.startswith("workflow_scripts")]
    for name in messages:
        assert any(name in warning for warning in warnings), name
    if not messages:
        assert not warnings


def test_untied_head_of_a_tied_model_with_capped_logits(randomise: Randomiser, rows: RowMaker) -> None:
    """The same figures as from a model whose head is a tensor of its own."""
    tied, untied = gemma2(True), gemma2(False)
    randomise(tied)
    untied.load_state_dict(tied.state_dict())
    ids, mask = rows()
    labels = torch.randint(0, 83, ids.shape, generator=torch.Generator().manual_seed(0))
    for epochs in (0, 1):
        found, expected = (
            embed(model, ids, mask, Estimator.corrected(), labels=labels, head_epochs=epochs)
            for model in (tied, untied.double().eval())
        )
        torch.testing.assert_close(found, expected)


def test_module_called_twice_and_shared_weight(
    probe: Callable[..., PreTrainedModel],
    rows: RowMaker,
    oracle: Oracle,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, (ids, mask) = probe("llama"), rows()
    model.model.layers[1].mlp = model.model.layers[0].mlp
    model.model.layers[1].input_layernorm.weight = model.model.layers[0].input_layernorm.weight
    labels = torch.randint(0, 83, ids.shape, generator=torch.Generator().manual_seed(0))
    with caplog.at_level(logging.WARNING, logger="workflow_scripts"):
        found = embed(model, ids, mask, Estimator.corrected(), labels=labels)
    torch.testing.assert_close(
        found, oracle(model, ids, mask, labels, Estimator.corrected()).float(), rtol=1e-5, atol=0
    )
    assert "model.layers.0.mlp.up_proj uses plain autograd" in caplog.text
    assert "called 2 times" in caplog.text
    assert "model.layers.1.input_layernorm uses plain autograd" in caplog.text
    assert [name for name, _, _ in layout(model)].count("model.layers.0.mlp.up_proj") == 1

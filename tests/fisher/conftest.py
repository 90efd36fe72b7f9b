"""Tiny random probes of several architectures, and a brute-force oracle."""

from collections.abc import Callable

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.fisher.layout import layout

VOCABULARY = 83
SPECIAL = {"pad_token_id": None, "bos_token_id": 0, "eos_token_id": 0}
ROTARY = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 16,
}


def gpt2(**options: object) -> PreTrainedModel:
    settings = {"n_layer": 2, "n_embd": 16, "n_head": 2, "vocab_size": VOCABULARY, "n_positions": 16}
    return GPT2LMHeadModel(GPT2Config(**SPECIAL, **{**settings, **options}))


def neox() -> PreTrainedModel:
    return GPTNeoXForCausalLM(GPTNeoXConfig(**SPECIAL, **ROTARY, tie_word_embeddings=False))


def llama() -> PreTrainedModel:
    return LlamaForCausalLM(
        LlamaConfig(**SPECIAL, **ROTARY, num_key_value_heads=2, tie_word_embeddings=False)
    )


def qwen3() -> PreTrainedModel:
    config = Qwen3Config(**SPECIAL, **ROTARY, num_key_value_heads=2, head_dim=8, tie_word_embeddings=True)
    return Qwen3ForCausalLM(config)


EXPERT_WEIGHTS = ("experts.gate_up_proj", "experts.down_proj")

MAKERS: dict[str, Callable[[], PreTrainedModel]] = {
    "gpt2": gpt2,
    "gpt2_gram": lambda: gpt2(n_layer=1, n_embd=48),  # wide for its rows: squares through Gram matrices
    "neox": neox,
    "llama": llama,
    "qwen3": qwen3,
}


def randomised(model: PreTrainedModel, seed: int = 0) -> PreTrainedModel:
    """Weights far from their initial pattern (norms of one, biases of zero), in double precision."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + 0.3 * noise if "norm" in name.lower() or "ln_" in name else 0.3 * noise)
    return model.double().eval()


@pytest.fixture
def probe() -> Callable[..., PreTrainedModel]:
    def make(name: str, **options: object) -> PreTrainedModel:
        maker = MAKERS[name]
        return randomised(maker(**options) if options else maker())

    return make


@pytest.fixture
def rows() -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    """Rows of random tokens and their mask, padded on the right with token 0."""

    def make(count: int = 5, length: int = 9, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(1, VOCABULARY, (count, length), generator=generator)
        ids[:, 3:5] = ids[:, :2]  # repeated tokens, whose gradients add up before they are squared
        lengths = torch.randint(2, length + 1, (count, 1), generator=generator)
        lengths[0] = length
        mask = torch.arange(length) < lengths
        return torch.where(mask, ids, 0), mask

    return make


def row_means(model: PreTrainedModel, gradients: dict[str, torch.Tensor]) -> torch.Tensor:
    """Squares of gradients, averaged as an embedding is."""
    parts = []
    for name, _, _ in layout(model):
        gradient = gradients.get(f"{name}.weight", gradients.get(name))
        assert gradient is not None
        # Each expert's matrix has its own rows.
        rows = gradient.flatten(0, 1) if name.endswith(EXPERT_WEIGHTS) else gradient
        parts.append(rows.double().square().reshape(len(rows), -1).mean(1))
    return torch.cat(parts)


@pytest.fixture
def oracle() -> Callable[..., torch.Tensor]:
    """The embedding by plain autograd: one whole backward pass for each row (or minibatch) and draw.

    Untied, the head is a tensor of its own, so that no gradient of the shared weight comes through it.
    """

    def compute(
        model: PreTrainedModel,
        ids: torch.Tensor,
        mask: torch.Tensor,
        labels: torch.Tensor,
        estimator: Estimator,
        padding_token: int = 0,
        hidden: torch.Tensor | None = None,
    ) -> torch.Tensor:
        hidden = torch.zeros_like(mask) if hidden is None else hidden
        labels = labels if labels.dim() == 3 else labels.unsqueeze(0)
        head = model.get_output_embeddings()
        states: list[torch.Tensor] = []
        handle = head.register_forward_pre_hook(lambda _module, inputs: states.append(inputs[0]))
        per_square = estimator.minibatch if estimator.square == "minibatch" else 1
        total, count, squares = torch.zeros(()).double(), 0, 0
        for part in torch.arange(len(ids)).split(per_square):
            for draw in labels:
                states.clear()
                logits = model(input_ids=ids[part], attention_mask=(mask & ~hidden)[part].long()).logits
                if not estimator.tied_head:
                    bias = None if head.bias is None else head.bias.detach()
                    logits = torch.nn.functional.linear(states[0], head.weight.detach(), bias)
                score = torch.zeros(()).double()
                n = 0
                for logit, y, real, end in zip(logits, draw[part], mask[part], hidden[part], strict=True):
                    for t in range(len(y) - 1):
                        label = y[t + 1] if estimator.label_shift else y[t]
                        kept = label != padding_token if estimator.score_padding else real[t + 1]
                        if kept and not end[t] and not end[t + 1]:
                            score = score + torch.log_softmax(logit[t], 0)[label]
                            n += 1
                if estimator.square == "minibatch":
                    score = score / n
                parameters = dict(model.named_parameters(remove_duplicate=False))
                found = torch.autograd.grad(score, list(parameters.values()), allow_unused=True)
                gradients = {
                    name: torch.zeros_like(parameter) if gradient is None else gradient
                    for (name, parameter), gradient in zip(parameters.items(), found, strict=True)
                }
                total = total + row_means(model, gradients)
                count += n
                squares += 1
        handle.remove()
        return total / (squares if estimator.square == "minibatch" else count)

    return compute


@pytest.fixture
def randomise() -> Callable[[PreTrainedModel], PreTrainedModel]:
    return randomised

"""The corrected embedding of tiny random models of every architecture of transformers, against plain autograd.

    python -m benchmarks.architectures              all causal language models
    python -m benchmarks.architectures llama rwkv   only these

Prints one JSON line for each, and counts at the end. A model `agrees` if no coordinate differs from brute force (one
backward pass for each row and draw, in double precision) by more than 1e-5 of the largest. It is `refused` if the
engine says in one sentence why it cannot read it. `not tried` are those that these small settings do not fit, and those
of more than three million parameters at these settings. Exits with code 1 if any differs, or fails otherwise.
"""

import argparse
import json
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers import logging as transformers_logging
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.errors import UserError
from workflow_scripts.fisher.embedding import measure
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.layout import EXPERTS, layout
from workflow_scripts.fisher.reading import Batch

VOCABULARY, ROWS, LENGTH, DRAWS = 83, 4, 8, 2
END = 0
LARGEST = 3_000_000
AGREES = 1e-5
SECONDS = 30

SMALL: dict[str, Any] = {
    **dict.fromkeys(
        ("hidden_size", "d_model", "n_embd", "dim", "embed_dim", "embedding_size", "lru_width"), 16
    ),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "num_layers", "n_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "num_heads", "n_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "encoder_layers"), 2),
    **dict.fromkeys(
        ("intermediate_size", "n_inner", "ffn_dim", "decoder_ffn_dim", "encoder_ffn_dim", "dff"), 24
    ),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "sliding_window"), 24),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "word_embed_proj_dim"), 16),
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("kv_lora_rank", "q_lora_rank", "head_dim", "v_head_dim", "query_pre_attn_scalar"), 8),
    **dict.fromkeys(
        ("rotary_dim", "qk_rope_head_dim", "qk_nope_head_dim", "state_size", "time_step_rank"), 4
    ),
    **dict.fromkeys(("n_group", "topk_group", "first_k_dense_replace"), 1),
    "num_experts_per_tok": 2,
    "num_key_value_heads": 2,
    "attention_window_size": 16,
    "laurel_rank": 4,
    "hidden_size_per_layer_input": 4,
    "vocab_size_per_layer_input": VOCABULARY,
    "num_kv_shared_layers": 0,
    "altup_num_inputs": 2,
    "is_decoder": True,
    "tie_word_embeddings": False,
    "vocab_size": VOCABULARY,
    "pad_token_id": None,
    "bos_token_id": END,
    "eos_token_id": END,
}

LATENT_ATTENTION = {"num_key_value_heads": 4, "head_dim": 4}
MAMBA2 = {"mamba_n_heads": 4, "mamba_d_head": 8, "mamba_expand": 2, "mamba_d_state": 4, "mamba_n_groups": 1}
PADDED = {"pad_token_id": 1}
FOUR_LAYERS = {"num_hidden_layers": 4}
ALSO: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("deepseek_v2", "deepseek_v3", "glm4_moe_lite", "minicpm3", "youtu"), LATENT_ATTENTION),
    **dict.fromkeys(("camembert", "data2vec-text", "roberta", "xlm-roberta", "roberta-prelayernorm"), PADDED),
    **dict.fromkeys(("xlm-roberta-xl", "modernbert-decoder"), PADDED),
    **dict.fromkeys(
        ("qwen3_next", "qwen3_5_text", "recurrent_gemma", "lfm3", "qwen3_5_moe_text"), FOUR_LAYERS
    ),
    "bamba": {**MAMBA2, "attn_layer_indices": [1]},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "helium": {"head_dim": 4},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "mamba_dt_rank": 4, "mamba_d_state": 4},
    "mamba2": {"num_heads": 4, "head_dim": 8, "expand": 2, "n_groups": 1},
}


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("kinds", nargs="*", help="model types; default: all")
    return parser


def tiny(kind: str) -> PreTrainedModel | None:
    """A small model with random weights in double precision; None if even these settings leave it large."""
    default = AutoConfig.for_model(kind)
    known = {*default.to_dict(), *default.attribute_map}
    settings = {key: value for key, value in {**SMALL, **ALSO.get(kind, {})}.items() if key in known}
    config = AutoConfig.for_model(kind, **settings)
    config._experts_implementation = "eager"  # the fused ones have no double precision
    with torch.device("meta"):
        shape = AutoModelForCausalLM.from_config(config)
    if sum(parameter.numel() for parameter in shape.parameters()) > LARGEST:
        return None
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.is_floating_point():
                noise = 0.3 * torch.randn(parameter.shape, generator=generator)
                parameter.copy_(1 + noise if "norm" in name.lower() or "ln_" in name else noise)
                parameter.requires_grad_()
    return model.double().eval()


def brute_force(model: PreTrainedModel, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The embedding by one backward pass for each row and draw."""
    parameters = {name: one for name, one in model.named_parameters() if one.requires_grad}
    total = torch.zeros(sum(piece.stop - piece.start for _, _, piece in layout(model)), dtype=torch.float64)
    for row, tokens in enumerate(ids):
        for draw in labels:
            logits = model(input_ids=tokens[None], attention_mask=torch.ones_like(tokens[None])).logits[0]
            score = logits.log_softmax(-1)[:-1].gather(1, draw[row, :-1, None]).sum()
            found = torch.autograd.grad(score, list(parameters.values()), allow_unused=True)
            gradients = dict(zip(parameters, found, strict=True))
            for name, kind, piece in layout(model):
                gradient = gradients.get(f"{name}.weight", gradients.get(name))
                if gradient is not None:
                    # Each expert of a mixture has its own rows.
                    rows = gradient.flatten(0, 1) if kind == EXPERTS else gradient
                    total[piece] += rows.square().reshape(len(rows), -1).mean(1)
    return total / (labels.shape[0] * len(ids) * (LENGTH - 1))


def compared(kind: str) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, VOCABULARY, (ROWS, LENGTH), generator=generator)
    labels = torch.randint(0, VOCABULARY, (DRAWS, ROWS, LENGTH), generator=generator)
    try:
        model = tiny(kind)
        if model is None:
            return {"status": "not tried", "why": "large"}
        model(input_ids=ids, attention_mask=torch.ones_like(ids))
    except Exception as error:  # noqa: BLE001 - settings that do not fit an architecture fail in its own ways
        return {"status": "not tried", "why": _first_line(error)}
    ended = ids.clone()
    ended[:, LENGTH // 2] = END
    estimator = Estimator.from_options({"name": "corrected", "tied_head": True})
    try:
        found = measure(model, Batch.of(ids, labels=labels), Settings(estimator), 2).embedding.double()
        # With an end in the middle of a row: refused if the architecture would read it.
        measure(model, Batch.of(ended, labels=labels), Settings(estimator, end_of_text=END), 2)
        expected = brute_force(model, ids, labels)
    except UserError as error:
        return {"status": "refused", "why": str(error)}
    except TimeoutError as error:
        return {"status": "not tried", "why": str(error)}
    except Exception as error:  # noqa: BLE001 - reported as a failure
        return {"status": "fails", "why": _first_line(error)}
    difference = float((found - expected).abs().max() / expected.abs().max())
    return {"status": "agrees" if difference < AGREES else "differs", "difference": f"{difference:.1e}"}


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"[:160]


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(1)
    warnings.filterwarnings("ignore")
    transformers_logging.set_verbosity_error()
    signal.signal(signal.SIGALRM, _too_long)
    counts: Counter[str] = Counter()
    for kind in arguments.kinds or sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES):
        signal.alarm(SECONDS)
        found = compared(kind)
        signal.alarm(0)
        counts[found["status"]] += 1
        print(json.dumps({"model": kind, **found}), flush=True)
    print(json.dumps(counts))
    if counts["differs"] or counts["fails"]:
        sys.exit(1)


if __name__ == "__main__":
    run(main)

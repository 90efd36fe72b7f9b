"""Memory of embedding by large probes, computed from layers of their shape, and of training, measured.

    python -m benchmarks.probe_memory probes       how far one GPU goes: weights, activations, logits of a row
    python -m benchmarks.probe_memory training     peak memory with recomputed activations and with adapters

`probes` builds one and two layers of each shape on the CPU, reads a row with the engine's hooks, and counts the numbers
that the backward pass needs (those that autograd saves and the inputs that the hooks keep, each once). The rest is
multiplied: layers, the logits and probabilities of a row, and WORK for gradients and fragments. It needs 8 GB for the
largest shape. `training` runs each recipe in a process of its own and reports its peak of memory and its seconds of
CPU; it needs 9 GB, and peft for adapters.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.command_line import parser_for, run, set_threads

# Width, layers, heads, heads of keys, inner width, vocabulary: Llama 3.2 1B (its head is tied), 3.1 8B, 3.1 70B.
SHAPES = {
    "1B": (2048, 16, 32, 8, 8192, 128256),
    "8B": (4096, 32, 32, 8, 14336, 128256),
    "70B": (8192, 80, 64, 8, 28672, 128256),
}
NUMBER = 4  # bytes of float32
COPIES_OF_LOGITS = 2  # logits and probabilities
WORK = 1.5  # peak of a row over what is counted here; 1.45 was measured on a CPU, 4 layers of width 1,024

TRAINED: dict[str, Any] = {"n_embd": 512, "n_layer": 12, "n_head": 8, "vocab_size": 8192}
ROWS, CONTEXT, STEPS = 8, 512, 3
RECIPES: dict[str, dict[str, Any]] = {
    "all weights": {},
    "activations computed again": {"gradient_checkpointing": True},
    "adapter": {"adapter": {"rank": 16, "alpha": 32}},
    "both": {"gradient_checkpointing": True, "adapter": {"rank": 16, "alpha": 32}},
}


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("part", choices=["probes", "training", "one"])
    parser.add_argument("--tokens", type=int, default=512, help="tokens of a row")
    parser.add_argument("--recipe", choices=RECIPES, help="of `one`, which `training` starts")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    given = build_parser().parse_args(argv)
    set_threads(1)
    if given.part == "probes":
        for name, shape in SHAPES.items():
            print(json.dumps({"probe": name, **memory_of_probe(shape, given.tokens)}), flush=True)
    elif given.part == "one":
        train_once(RECIPES[given.recipe])
    else:
        for name in RECIPES:
            print(json.dumps({"recipe": name, **_in_a_process(name)}), flush=True)


def memory_of_probe(shape: tuple[int, ...], tokens: int) -> dict[str, float]:
    """GB of a probe's weights and of one row, and how many rows a GPU of 80 GB reads at once."""
    width, layers, _, _, _, vocabulary = shape
    one, two = (kept_bytes(shape, count, tokens) for count in (1, 2))
    per_layer = two - one
    activations = one + (layers - 1) * per_layer
    logits = COPIES_OF_LOGITS * tokens * vocabulary * NUMBER
    weights = number_of_weights(shape) * NUMBER
    free = 0.7 * (80e9 - weights)
    return {
        "tokens": tokens,
        "weights_gb": round(weights / 1e9, 1),
        "activations_gb": round(activations / 1e9, 2),
        "logits_gb": round(logits / 1e9, 2),
        "rows_on_80_gb": max(0, int(free // (WORK * (activations + logits)))),
        "fitted_head_gb": round(4 * width * vocabulary * NUMBER / 1e9, 1),  # weight, gradient, two moments
    }


def number_of_weights(shape: tuple[int, ...]) -> int:
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(_config(shape, shape[1]))
    return sum(parameter.numel() for parameter in model.parameters())


def kept_bytes(shape: tuple[int, ...], layers: int, tokens: int) -> int:
    """Bytes that one row keeps for the backward pass to its activations."""
    import torch
    from transformers import AutoModel

    from workflow_scripts.fisher.capture import observed
    from workflow_scripts.fisher.layout import Entry

    with torch.device("meta"):
        body: Any = AutoModel.from_config(_config((*shape[:5], 8), layers))
    rotary = body.rotary_emb.__class__(body.config)  # its tables must have values
    body = body.to_empty(device="cpu").requires_grad_(False).eval()
    body.rotary_emb = rotary
    with torch.no_grad():
        for parameter in body.parameters():
            parameter.fill_(0.01)
    of_weights = {parameter.untyped_storage().data_ptr() for parameter in body.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in of_weights:
            kept[storage.data_ptr()] = storage
        return tensor

    def note_input(entry: Entry, x: torch.Tensor, output: torch.Tensor) -> None:
        note(x)

    entries = [
        Entry(name, "linear", slice(0, 0), module, module.weight, False)
        for name, module in body.named_modules()
        if isinstance(getattr(module, "weight", None), torch.nn.Parameter)
    ]
    with (
        torch.enable_grad(),
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
        observed(entries, 1, note_input),
    ):
        body(input_ids=torch.zeros(1, tokens, dtype=torch.long), use_cache=False)
    return sum(storage.nbytes() for storage in kept.values())


def _config(shape: tuple[int, ...], layers: int) -> Any:
    from transformers import LlamaConfig

    width, _, heads, key_heads, inner, vocabulary = shape
    return LlamaConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        intermediate_size=inner,
        vocab_size=vocabulary,
        max_position_embeddings=8192,
        tie_word_embeddings=shape == SHAPES["1B"],
        pad_token_id=None,
    )


def _in_a_process(recipe: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.probe_memory", "one", "--recipe", recipe]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1]}  # type: ignore[dict-item]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def train_once(changes: dict[str, Any]) -> None:
    """A few steps of fine-tuning; prints the peak of memory above that before training, and seconds of CPU."""
    import numpy as np
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from workflow_scripts.tokens.rows import Rows
    from workflow_scripts.training.engine import train
    from workflow_scripts.training.interruption import Interruption
    from workflow_scripts.training.processes import Execution
    from workflow_scripts.training.recipe import Recipe
    from workflow_scripts.training.schedule import make_blocks, plan_run

    count = ROWS * STEPS
    ids = np.random.default_rng(0).integers(1, TRAINED["vocab_size"], (count, CONTEXT)).astype(np.int32)
    names = [f"r{number}" for number in range(count)]
    rows = Rows(names, [[name] for name in names], ids, np.full(count, CONTEXT, np.int32), ids > 0)
    recipe = Recipe.from_dict(
        {
            "model": {"base": "probe"},
            "tokens": [ids.size],
            "layout": "packed",
            "context": CONTEXT,
            "batch_rows": ROWS,
            **changes,
        }
    )
    schedule = plan_run(make_blocks(rows, recipe, "x"), recipe, 0, "x")
    torch.manual_seed(0)
    model: Any = GPT2LMHeadModel(GPT2Config(**TRAINED, n_positions=CONTEXT, bos_token_id=0, eos_token_id=0))
    before, seconds = _peak_mb(), _cpu_seconds()
    with tempfile.TemporaryDirectory() as folder:
        train(
            model,
            schedule,
            recipe,
            0,
            Path(folder),
            Execution(),
            Interruption(),
            lambda *given: None,
            "memory",
        )
    print(
        json.dumps(
            {
                "mb": round(_peak_mb() - before),
                "cpu_seconds": round(_cpu_seconds() - seconds, 1),
                "million_weights": round(sum(one.numel() for one in model.parameters()) / 1e6),
            }
        )
    )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    run(main)

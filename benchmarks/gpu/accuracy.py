"""Are results the same on the device: compared with the CPU, between repeats, and in lower precision?"""

from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from benchmarks.gpu.bench import END, Bench, Shape
from benchmarks.gpu.text import Text, mixed_rows, read_text
from workflow_scripts.fisher.distance import distance_matrix
from workflow_scripts.fisher.embedding import measure
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.layout import layout
from workflow_scripts.fisher.reading import Batch

SIZES = {
    # layers, width, heads, row lengths, batches, rows of a batch, training steps, rows of a step
    "full": (6, 384, 6, (128, 512, 1024), 4, 32, 400, 32),
    "tiny": (1, 16, 2, (16,), 2, 4, 2, 4),
}
COARSE = ("tf32", "bfloat16")
GATE_CPU, GATE_ALIGNMENT = 1e-4, 0.001


def accuracy(bench: Bench) -> dict[str, Any]:
    """Results for probes of two architectures, trained for seconds on real text so that predictions are not uniform."""
    layers, width, heads, lengths, *_ = SIZES[bench.size]
    text = read_text(bench.size)
    gpt2 = {"n_layer": layers, "n_embd": width, "n_head": heads, "n_positions": lengths[-1]}
    llama = {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "intermediate_size": 8 * width // 3,
        "max_position_embeddings": lengths[-1],
    }
    found: dict[str, Any] = {"gate_cpu": GATE_CPU, "gate_alignment": GATE_ALIGNMENT}
    for name, settings in (("gpt2", gpt2), ("llama", llama)):
        if bench.has_time(name):
            shape = Shape(name, {**settings, "vocab_size": text.token_ids}, 0)
            found[name] = _of_probe(bench, bench.model(shape), text)
    return found


def _of_probe(bench: Bench, model: PreTrainedModel, text: Text) -> dict[str, Any]:
    *_, lengths, batches, rows, steps, step_rows = SIZES[bench.size]
    found: dict[str, Any] = {"training_loss": _trained(bench, model, text, lengths[-1], steps, step_rows)}
    pieces = layout(model)
    body = np.concatenate([np.r_[part] for _, kind, part in pieces if kind not in ("token", "position")])
    for length in lengths:
        if not bench.has_time(f"rows of {length}"):
            continue
        held = {corpus: text.rows(corpus, length).input_ids for corpus in text.documents}
        count = min(rows, min(len(ids) for ids in held.values()) // batches)
        chosen = {corpus: ids[: batches * count].reshape(batches, count, -1) for corpus, ids in held.items()}

        def embedded(precision: str, ids: dict[str, np.ndarray] = chosen) -> dict[str, np.ndarray]:
            return {corpus: _embeddings(bench, model, part, precision) for corpus, part in ids.items()}

        exact = embedded("float32")
        first = next(iter(chosen))
        again = _embeddings(bench, model, chosen[first][:1], "float32")
        of_length: dict[str, Any] = {
            "rows_of_a_batch": count,
            "repeat_difference": relative(again[0], exact[first][0]),
        }
        if bench.is_gpu and length == lengths[0]:
            torch.nn.Module.to(model, "cpu")
            of_cpu = _embeddings(bench, model, chosen[first][:1], "float32")
            torch.nn.Module.to(model, bench.device)
            of_length["cpu_difference"] = relative(exact[first][0], of_cpu[0])
        for precision in COARSE:
            coarse = embedded(precision)
            of_length[precision] = {
                "largest_move_all": largest_move(exact, coarse, slice(None)),
                "largest_move_body": largest_move(exact, coarse, body),
                "embedding_difference": relative(coarse[first], exact[first]),
            }
            moves = [of_length[precision][f"largest_move_{part}"] for part in ("all", "body")]
            of_length[precision]["passes"] = bool(max(moves) < GATE_ALIGNMENT)
        found[f"rows_of_{length}"] = of_length
    return found


def _trained(bench: Bench, model: PreTrainedModel, text: Text, length: int, steps: int, rows: int) -> float:
    ids = torch.from_numpy(mixed_rows(text, length)).long().to(bench.device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    model.train()
    loss = torch.zeros(())
    for step in range(steps):
        batch = ids[torch.arange(step * rows, (step + 1) * rows) % len(ids)]
        with torch.autocast(bench.device.type, torch.bfloat16):
            loss = model(input_ids=batch, labels=batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    model.eval()
    return float(loss.detach())


def _embeddings(bench: Bench, model: PreTrainedModel, batches: np.ndarray, precision: str) -> np.ndarray:
    """One embedding per batch; label draws depend on the rows' tokens, so they are the same in every precision."""
    settings = Settings(Estimator.corrected(), precision=precision, end_of_text=END)
    done = [measure(model, Batch.of(torch.from_numpy(ids)), settings, microbatch=16) for ids in batches]
    return np.stack([one.embedding.numpy() for one in done])


def relative(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def largest_move(
    exact: dict[str, np.ndarray], coarse: dict[str, np.ndarray], coordinates: slice | np.ndarray
) -> float:
    """The largest change of the alignment of two corpora; alignments are means over pairs of batches."""
    moves = []
    for number, a in enumerate(exact):
        for b in list(exact)[number:]:
            alignments = [
                1 - distance_matrix(side[a][:, coordinates], side[b][:, coordinates]).mean()
                for side in (exact, coarse)
            ]
            moves.append(abs(alignments[1] - alignments[0]))
    return float(max(moves))

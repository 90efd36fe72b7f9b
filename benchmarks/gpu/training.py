"""Training and evaluation: tokens per second, compared with bare loops in the same precision."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import PreTrainedModel

from benchmarks.gpu.bench import TRAINING_SHAPES, Bench, Shape
from benchmarks.gpu.embedding import in_precision
from workflow_scripts.models.loading import quiet_transformers
from workflow_scripts.tokens.encode import EncodedDocument
from workflow_scripts.training.engine import train
from workflow_scripts.training.evaluation import EvaluationSet, EvaluationSettings, score
from workflow_scripts.training.interruption import Interruption
from workflow_scripts.training.processes import Execution
from workflow_scripts.training.recipe import Recipe
from workflow_scripts.training.schedule import Blocks, Schedule, plan_run

CONTEXT = {"full": 512, "tiny": 16}
STEPS = {"full": (10, 60), "tiny": (1, 3)}
"""Steps of a short and a long run: their difference excludes the set-up."""
REPEATS = 3
GATE_TRAINING = 0.95
EVALUATION_TOKENS = {"full": 1_000_000, "tiny": 512}
KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "math": SDPBackend.MATH,
}


def training(bench: Bench) -> dict[str, Any]:
    """Tokens per second of the Trainer as the workflow runs it and of a bare loop; kernels of attention."""
    quiet_transformers()
    found: dict[str, Any] = {"gate": GATE_TRAINING}
    shapes = TRAINING_SHAPES[bench.size]
    for number, (name, shape) in enumerate(shapes.items()):
        if not bench.has_time(name):
            continue
        found[name] = _against_bare(bench, shape, bench.seconds_left() / (len(shapes) - number + 1))
        bench.free_memory()
    if bench.is_gpu and bench.has_time("attention kernels"):
        found["attention_kernels"] = _kernels(bench, next(iter(shapes.values())))
    return found


def planned(bench: Bench, shape: Shape, steps: int) -> tuple[Schedule, Recipe]:
    """A run of so many steps over random tokens."""
    context = CONTEXT[bench.size]
    batch_rows = max(1, shape.tokens // context)
    tokens = steps * batch_rows * context
    model = {"type": "gpt2"}  # not used: the benchmark has its own model
    settings = {"tokens": [tokens], "layout": "packed", "context": context, "batch_rows": batch_rows}
    recipe = Recipe.from_dict({"model": model, **settings})
    ids = np.random.default_rng(0).integers(1, shape.settings["vocab_size"], (steps * batch_rows, context))
    blocks = Blocks(ids.astype(np.int32), np.ones(ids.shape, dtype=bool), np.full(len(ids), context))
    return plan_run(blocks, recipe, 0, "random tokens"), recipe


def bare_loop(bench: Bench, model: PreTrainedModel, schedule: Schedule, recipe: Recipe) -> None:
    """The minimum that training needs, with all rows already on the device."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.0, fused=True)
    warm_up = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, step / recipe.warmup_steps))
    rows = torch.from_numpy(schedule.blocks.input_ids[schedule.pieces.block]).long().to(bench.device)
    model.train()
    for first, last in zip(schedule.bounds[:-1], schedule.bounds[1:], strict=True):
        batch = rows[first:last]
        # As in the recipe's `auto`: bfloat16 on a GPU, float32 on a CPU.
        with torch.autocast(bench.device.type, torch.bfloat16, enabled=bench.is_gpu):
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip or float("inf"))
        optimiser.step()
        warm_up.step()
        optimiser.zero_grad()


def _against_bare(bench: Bench, shape: Shape, budget: float) -> dict[str, Any]:
    plans = {steps: planned(bench, shape, steps) for steps in STEPS[bench.size]}
    execution = Execution(device=bench.device.type)

    def ours(steps: int) -> None:
        schedule, recipe = plans[steps]
        with tempfile.TemporaryDirectory(dir=bench.work) as folder:
            finished = train(
                bench.model(shape), schedule, recipe, 0, Path(folder), execution, Interruption(),
                lambda _model, _budget: None, "benchmark",
            )  # fmt: skip
        if not finished:
            raise RuntimeError("the run did not reach its end")

    works = {}
    for steps in plans:
        works[f"ours_{steps}"] = lambda steps=steps: ours(steps)
        works[f"bare_{steps}"] = lambda steps=steps: bare_loop(bench, bench.model(shape), *plans[steps])
    measured = bench.interleaved(works, REPEATS, budget)
    short, long = plans
    tokens = sum(plans[long][0].blocks.sizes) - sum(plans[short][0].blocks.sizes)
    rates = {}
    for name in ("ours", "bare"):
        sides = measured[f"{name}_{long}"], measured[f"{name}_{short}"]
        if all("seconds" in side for side in sides) and sides[0]["seconds"] > sides[1]["seconds"]:
            rates[f"tokens_per_second_{name}"] = float(tokens / (sides[0]["seconds"] - sides[1]["seconds"]))
    result = {"runs": measured, **rates, "precision": "bfloat16" if bench.is_gpu else "float32"}
    if len(rates) == 2:
        share = rates["tokens_per_second_ours"] / rates["tokens_per_second_bare"]
        result |= {"share_of_bare": share, "passes": share >= GATE_TRAINING}
    return result


def _kernels(bench: Bench, shape: Shape) -> dict[str, Any]:
    """Seconds of one forward and backward pass in bfloat16 with each kernel, and with the default choice."""
    model = bench.model(shape).train()
    batch = bench.rows(shape, CONTEXT[bench.size]).to(bench.device)

    def step() -> None:
        with torch.autocast(bench.device.type, torch.bfloat16):
            loss = model(input_ids=batch, labels=batch, use_cache=False).loss
        loss.backward()
        model.zero_grad(set_to_none=True)

    def with_kernel(backend: SDPBackend) -> None:
        with sdpa_kernel(backend):
            step()

    works = {name: lambda backend=backend: with_kernel(backend) for name, backend in KERNELS.items()}
    return bench.interleaved({"chosen": step, **works}, REPEATS, bench.seconds_left())


def evaluation(bench: Bench) -> dict[str, Any]:
    """Tokens per second of scoring documents, compared with bare forward passes, and the effect of lower precision."""
    shape = next(iter(TRAINING_SHAPES[bench.size].values()))
    model = bench.model(shape)
    context, tokens = CONTEXT[bench.size], EVALUATION_TOKENS[bench.size]
    random = np.random.default_rng(0)
    documents: list[EncodedDocument] = []
    total = 0
    while total < tokens:
        length = int(random.integers(context // 4, 2 * context))
        ids = random.integers(1, shape.settings["vocab_size"], length).astype(np.int32)
        documents.append(
            EncodedDocument(str(len(documents)), ids, np.ones(length, dtype=bool), length, length)
        )
        total += length
    settings = EvaluationSettings.from_dict(
        {"tokens": None, "context": context, "stride": context // 2, "parts": ["whole"]}
    )
    evaluated = EvaluationSet(documents, settings)
    rows = bench.rows(shape, context).to(bench.device)

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(max(1, total // rows.numel())):
                logits = model(input_ids=rows, use_cache=False).logits
                torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), rows[:, 1:].flatten())

    found: dict[str, Any] = {"documents": len(documents), "tokens": total}
    totals = {}
    for precision in ("float32", "tf32", "bfloat16"):
        if not bench.has_time(precision):
            continue

        def ours(precision: str = precision) -> None:
            totals[precision] = score(model, evaluated, bench.device.type)["whole"]

        works = {
            name: in_precision(bench, precision, work) for name, work in {"ours": ours, "bare": bare}.items()
        }
        measured = bench.interleaved(works, 2, bench.seconds_left() / 3)
        for side in measured.values():
            if "seconds" in side:
                side["tokens_per_second"] = total / side["seconds"]
        found[precision] = measured
        if precision in totals and "float32" in totals:
            moved = np.abs(totals[precision] - totals["float32"]).sum() / total
            found[precision]["mean_move_in_nats_per_token"] = float(moved)
    return found

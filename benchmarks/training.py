"""Time of a training run, compared with a bare PyTorch loop on the same model, rows and batches.

    python -m benchmarks.training [--case small|wide] [--steps 48] [--repeats 5] [--threads 1]

One JSON line per case: `ratio_bare` is the median over repeats of the time of a run (the Trainer, its set-up, its
log lines and the saved model included) over that of the loop (forward, backward, clipping, fused AdamW, warm-up). The
two take turns in one process. `ratio_bare_cpu` is the same for processor time, which a busy machine affects less.
Values above 1 are the cost of the Trainer.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.command_line import parser_for, run, set_threads

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from workflow_scripts.training.recipe import Recipe
    from workflow_scripts.training.schedule import Schedule

CONTEXT = 128
CASES = {
    "small": {"n_layer": 2, "n_embd": 64, "n_head": 2, "vocab_size": 2_048},
    "wide": {"n_layer": 2, "n_embd": 128, "n_head": 4, "vocab_size": 4_096},
}


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--case", choices=CASES, action="append", help="repeated; all by default")
    parser.add_argument("--steps", type=int, default=48)
    parser.add_argument("--batch-rows", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def bare_loop(model: "PreTrainedModel", schedule: "Schedule", recipe: "Recipe") -> None:
    """The minimum that a run needs."""
    import torch

    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.0, fused=True)
    warm_up = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, step / recipe.warmup_steps))
    rows = torch.from_numpy(schedule.blocks.input_ids[schedule.pieces.block]).long()
    for first, last in zip(schedule.bounds[:-1], schedule.bounds[1:], strict=True):
        batch = rows[first:last]
        model(input_ids=batch, labels=batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip or float("inf"))
        optimiser.step()
        warm_up.step()
        optimiser.zero_grad()


def seconds_of(work: Callable[[], None]) -> tuple[float, float]:
    """Wall-clock and processor seconds."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def measure_case(case: str, steps: int, batch_rows: int, repeats: int) -> dict[str, object]:
    import numpy as np
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from workflow_scripts.models.folders import save_model
    from workflow_scripts.models.loading import quiet_transformers
    from workflow_scripts.training.engine import train
    from workflow_scripts.training.interruption import Interruption
    from workflow_scripts.training.processes import Execution
    from workflow_scripts.training.recipe import Recipe
    from workflow_scripts.training.schedule import Blocks, plan_run

    quiet_transformers()
    tokens = steps * batch_rows * CONTEXT
    recipe = Recipe.from_dict(
        {"model": {"type": "gpt2"}, "tokens": [tokens], "layout": "packed", "batch_rows": batch_rows}
    )
    ids = np.random.default_rng(0).integers(0, CASES[case]["vocab_size"], (steps * batch_rows, CONTEXT))
    blocks = Blocks(ids.astype(np.int32), np.ones(ids.shape, dtype=bool), np.full(len(ids), CONTEXT))
    special = {"bos_token_id": 0, "eos_token_id": 0}
    config = AutoConfig.for_model("gpt2", **CASES[case], **special, n_positions=CONTEXT)

    def model() -> "PreTrainedModel":
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config)

    def run_once(schedule: "Schedule") -> None:
        with tempfile.TemporaryDirectory() as folder:
            save = Path(folder) / "model"
            done = train(
                model(), schedule, recipe, 0, Path(folder), Execution(), Interruption(),
                lambda trained, budget: save_model(trained, save), case,
            )  # fmt: skip
            assert done

    schedule = plan_run(blocks, recipe, 0, case)
    run_once(
        plan_run(blocks, replace(recipe, tokens=(2 * batch_rows * CONTEXT,)), 0, case)
    )  # imports, memory
    clock, processor, bare_seconds = [], [], []
    for _ in range(repeats):
        ours, ours_cpu = seconds_of(lambda: run_once(schedule))
        bare, bare_cpu = seconds_of(lambda: bare_loop(model(), schedule, recipe))
        clock.append(ours / bare)
        processor.append(ours_cpu / bare_cpu)
        bare_seconds.append(bare)
    return {
        "benchmark": "training",
        "case": case,
        "ratio_bare": round(statistics.median(clock), 3),
        "ratio_bare_cpu": round(statistics.median(processor), 3),
        "tokens_per_second_bare": round(tokens / statistics.median(bare_seconds)),
        "steps": steps,
        "repeats": repeats,
    }


def main(argv: Sequence[str] | None = None) -> None:
    given = build_parser().parse_args(argv)
    set_threads(given.threads)
    for case in given.case or CASES:
        print(json.dumps(measure_case(case, given.steps, given.batch_rows, given.repeats)), flush=True)


if __name__ == "__main__":
    run(main)

"""A process of the parts `resume` and `lease`: python -m benchmarks.gpu.worker train|lease FOLDER DEVICE SIZE."""

import json
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from benchmarks.gpu.bench import TRAINING_SHAPES, Bench
from workflow_scripts.training.devices import claimed_device, leased_devices

RESUMED_STEPS = 40
STEPS_BETWEEN_CHECKPOINTS = 10
SECONDS_HELD = {"full": 3.0, "tiny": 0.5}


def train_to_the_end(bench: Bench) -> None:
    """Train with checkpoints, from the last existing one; writes weights and first step at the end."""
    from benchmarks.gpu.training import planned
    from workflow_scripts.models.folders import save_model
    from workflow_scripts.models.loading import quiet_transformers
    from workflow_scripts.training.engine import last_checkpoint, train
    from workflow_scripts.training.interruption import Interruption
    from workflow_scripts.training.processes import Execution

    quiet_transformers()
    shape = next(iter(TRAINING_SHAPES[bench.size].values()))
    schedule, recipe = planned(bench, shape, RESUMED_STEPS)
    execution = Execution(device=bench.device.type, checkpoint_steps=STEPS_BETWEEN_CHECKPOINTS)
    start = last_checkpoint(bench.work)
    train(
        bench.model(shape), schedule, recipe, 0, bench.work, execution, Interruption(),
        lambda model, _budget: save_model(model, bench.work / "model"), "benchmark",
    )  # fmt: skip
    first = 0 if start is None else int(start.name.removeprefix("checkpoint-"))
    (bench.work / "done.json").write_text(json.dumps({"first_step": first}))


def hold_the_device(bench: Bench) -> None:
    """Lease the only GPU, or a substitute on a CPU, compute on it for a while, and write the start and end times."""
    lease: AbstractContextManager[object]
    if bench.is_gpu:
        lease = claimed_device("cuda", 1)
    else:
        lease = leased_devices(1, ["0"], bench.work / "locks")
    with lease:
        started = time.time()
        matrix = torch.ones(256, 256, device=bench.device)
        while time.time() - started < SECONDS_HELD[bench.size]:
            matrix = matrix @ matrix / 256
        bench.synchronise()
        span = [started, time.time()]
    (bench.work / f"span-{time.time_ns()}.json").write_text(json.dumps(span))


if __name__ == "__main__":
    task, folder, device, size = sys.argv[1:]
    {"train": train_to_the_end, "lease": hold_the_device}[task](
        Bench(torch.device(device), size, Path(folder))
    )

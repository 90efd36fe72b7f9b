"""Measurements that need separate processes: training that is killed and resumed, and two jobs that share one GPU."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.worker import RESUMED_STEPS
from workflow_scripts.storage.folders import CHECKSUMS


def start(bench: Bench, task: str, folder: Path) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable,
        "-m",
        "benchmarks.gpu.worker",
        task,
        str(folder),
        bench.device.type,
        bench.size,
    ]
    return subprocess.Popen(command, stderr=(folder / f"{task}.log").open("ab"))


def finished(bench: Bench, worker: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait for a worker, and raise an error if it failed."""
    try:
        code = worker.wait(timeout=max(1.0, bench.seconds_left()))
    finally:
        worker.kill()
        worker.wait()
    if code:
        lines = log.read_text().strip().splitlines() or [""]
        raise RuntimeError(f"the worker ended with code {code}: {lines[-1]}")


def resume(bench: Bench) -> dict[str, Any]:
    """Kill training after a checkpoint and start it again: the step at which it resumes, and the difference of its
    weights from those of an undisturbed run."""
    with tempfile.TemporaryDirectory(dir=bench.work) as name:
        undisturbed, killed = Path(name) / "undisturbed", Path(name) / "killed"
        for folder in (undisturbed, killed):
            folder.mkdir()
        other = start(bench, "train", undisturbed)
        victim = start(bench, "train", killed)
        try:
            while not list(killed.glob(f"checkpoint-*/{CHECKSUMS}")) and victim.poll() is None:
                if bench.seconds_left() < 0:
                    raise TimeoutError("no checkpoint was written in the time of this part")
                time.sleep(0.02)
        finally:
            victim.kill()
            victim.wait()
            finished(bench, other, undisturbed / "train.log")
        was_killed = not (killed / "done.json").exists()
        if was_killed:
            finished(bench, start(bench, "train", killed), killed / "train.log")
        first_step = json.loads((killed / "done.json").read_text())["first_step"]
        weights = [load_file(folder / "model" / "model.safetensors") for folder in (undisturbed, killed)]
        largest = max(float((weights[0][key] - weights[1][key]).abs().max()) for key in weights[0])
    return {
        "steps": RESUMED_STEPS,
        "was_killed": was_killed,
        "went_on_from_step": first_step,
        "largest_difference_of_a_weight": largest,
        "passes": was_killed and first_step > 0,
    }


def lease(bench: Bench) -> dict[str, Any]:
    """Whether two processes that need the only GPU use it one after the other."""
    with tempfile.TemporaryDirectory(dir=bench.work) as name:
        folder = Path(name)
        workers = [start(bench, "lease", folder) for _ in range(2)]
        try:
            for worker in workers:
                finished(bench, worker, folder / "lease.log")
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        spans = sorted(json.loads(path.read_text()) for path in folder.glob("span-*.json"))
    overlap = spans[0][1] - spans[1][0]
    return {"seconds_between": -overlap, "passes": len(spans) == 2 and overlap <= 0}

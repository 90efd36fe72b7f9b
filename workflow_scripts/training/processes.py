"""Runs a program in one or several processes, which `accelerate launch` or Slurm starts."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

from workflow_scripts.training.interruption import NOT_FINISHED, SIGNALS


@dataclass(frozen=True)
class Execution:
    """Where and how runs are computed; none of this is part of a recipe."""

    device: str = "cpu"
    processes: int = 1
    threads: int = 1
    checkpoint_steps: int = 0  # 0: only by time
    checkpoint_seconds: float = 300.0


def add_execution_options(parser: argparse.ArgumentParser) -> None:
    """Options that all training programs share."""
    parser.add_argument(
        "--checkpoints", required=True, type=Path, help="folder that only this job uses, removed at its end"
    )
    parser.add_argument("--checkpoint-seconds", type=float, default=300.0, help="seconds between checkpoints")
    parser.add_argument(
        "--checkpoint-steps", type=int, default=0, help="also save every so many steps; 0: only by time"
    )
    parser.add_argument("--device", default="auto", help="auto (a GPU if one is visible), cpu or cuda")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs to train on, one process each")
    parser.add_argument("--processes", type=int, default=1, help="processes on a CPU")
    parser.add_argument("--threads", type=int, default=1, help="threads of each process")


def execution_of(given: argparse.Namespace, device: str) -> Execution:
    """The options for this kind of device; includes processes that are already running."""
    asked = max(given.gpus, 1) if device == "cuda" else given.processes
    processes = int(os.environ["WORLD_SIZE"]) if is_worker() else asked
    return Execution(device, processes, given.threads, given.checkpoint_steps, given.checkpoint_seconds)


def is_worker() -> bool:
    """Whether this process is one of several that `accelerate launch` or Slurm started."""
    return "LOCAL_RANK" in os.environ


def join_slurm_tasks() -> None:
    """If `srun --ntasks` started this program several times, set the ranks that `accelerate launch` would set."""
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if tasks == "1" or is_worker():
        return
    first_node = "127.0.0.1"
    if os.environ["SLURM_STEP_NUM_NODES"] != "1":
        listed = ["scontrol", "show", "hostnames", os.environ["SLURM_STEP_NODELIST"]]
        first_node = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()[0]
    # A task that sees only its own GPU must use device 0.
    own_gpu = len(os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")) == 1
    step = int(os.environ["SLURM_JOB_ID"]) * 31 + int(os.environ["SLURM_STEP_ID"])
    os.environ |= {
        "RANK": os.environ["SLURM_PROCID"],
        "LOCAL_RANK": "0" if own_gpu else os.environ["SLURM_LOCALID"],
        "WORLD_SIZE": tasks,
        "MASTER_ADDR": first_node,
        "MASTER_PORT": str(
            20_000 + step % 20_000
        ),  # the same in all tasks of a step, different between steps
    }


def is_main_process() -> bool:
    """Whether this process, the first or only one, writes the files."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def joined_processes(device: str) -> Iterator[None]:
    """Connect the processes of a job, if there are several, and disconnect them at the end."""
    if not is_worker():
        yield
        return
    import torch
    from accelerate import PartialState

    PartialState(cpu=device == "cpu", backend="gloo" if device == "cpu" else None)
    try:
        yield
        wait_for_all()
    finally:
        torch.distributed.destroy_process_group()


def wait_for_all() -> None:
    """Wait until every process of the job has called this function."""
    if is_worker():
        import torch

        torch.distributed.barrier()


def train_where_asked(
    module: str,
    given: argparse.Namespace,
    arguments: Sequence[str],
    train: Callable[[argparse.Namespace, Execution], None],
) -> None:
    """Call `train` here, or start `python -m module arguments` in as many processes as the options request."""
    from workflow_scripts.training.devices import claimed_device

    join_slurm_tasks()
    with claimed_device(given.device, given.gpus) as device:
        execution = execution_of(given, device)
        if execution.processes > 1 and not is_worker():
            run_in_processes(module, arguments, execution)
        else:
            with joined_processes(device):
                train(given, execution)


def run_in_processes(module: str, arguments: Sequence[str], execution: Execution) -> None:
    """Run `python -m module arguments` in several processes of this machine, and exit with their status.

    `accelerate launch` dies of SIGUSR1 and gives its workers little time on SIGTERM. It therefore runs in a separate
    session, and the signals are passed on to the workers, which save a checkpoint and exit.
    """
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "1"]
    command += [
        "--num_processes",
        str(execution.processes),
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
    ]
    command += ["--num_cpu_threads_per_process", str(execution.threads), "--main_process_port", "0"]
    command += ["--module", module, *arguments]
    asked_to_stop = False

    with subprocess.Popen(command, start_new_session=True) as launcher:

        def pass_on(number: int, frame: FrameType | None) -> None:
            nonlocal asked_to_stop
            asked_to_stop = True
            workers = psutil.Process(launcher.pid).children()
            for worker in workers:
                worker.send_signal(signal.SIGUSR1)
            if not workers:  # No training has started, so there is nothing to save.
                launcher.terminate()

        before = {number: signal.signal(number, pass_on) for number in SIGNALS}
        try:
            code = launcher.wait()
        finally:
            launcher.terminate()  # No effect if it has already ended; needed after Ctrl-C.
            for number, handler in before.items():
                signal.signal(number, handler)
    if code:
        raise SystemExit(NOT_FINISHED if asked_to_stop else 1)

"""Chooses the device of a job; jobs on one machine reserve GPUs with file locks."""

import atexit
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from workflow_scripts.errors import UserError
from workflow_scripts.training.processes import is_worker

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 0.5


def resolve_device(name: str) -> str:
    """`cpu` or `cuda`; `auto` uses a GPU if one is visible.

    Counts GPUs instead of calling `torch.cuda.is_available`: after that call, CUDA would ignore which devices a lease
    makes visible.
    """
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"device is {name!r}; allowed are auto, cpu, cuda")
    if name == "auto":
        return "cuda" if torch.cuda.device_count() else "cpu"
    if name == "cuda" and not torch.cuda.device_count():
        raise UserError("device is 'cuda', but no GPU is visible")
    return name


def visible_devices() -> list[str]:
    """Ids of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [device.strip() for device in named.split(",") if device.strip()]
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


def default_lock_folder() -> Path:
    """One folder per user and machine; within Slurm, per allocation and step.

    Slurm may number the GPUs of each job from 0, so equal numbers are the same GPU only within one job. Programs that
    run side by side in one allocation (`salloc`) see the same GPUs and must share them.
    """
    folder = Path(tempfile.gettempdir()) / f"plumbline-devices-{os.getuid()}"
    job = os.environ.get("SLURM_JOB_ID")
    return folder / f"slurm-{job}-{os.environ.get('SLURM_STEP_ID', 'all')}" if job else folder


@contextmanager
def claimed_device(name: str, gpus: int) -> Iterator[str]:
    """The kind of device to compute on. For a GPU, one (or `gpus`) of the visible ones is reserved during the block."""
    device = resolve_device(name)
    if device == "cpu" or is_worker():
        yield device
        return
    with leased_devices(max(gpus, 1)):
        yield device


def held_device(name: str) -> str:
    """As `claimed_device` for one GPU, which stays reserved until the process ends.

    For programs that may find all that they need in a store, and then need no device.
    """
    held = ExitStack()
    device = held.enter_context(claimed_device(name, 1))
    atexit.register(held.close)
    return device


@contextmanager
def leased_devices(
    count: int, visible: Sequence[str] | None = None, locks: Path | None = None
) -> Iterator[list[str]]:
    """Reserve `count` of the visible GPUs for the block, wait until they are free, and hide the others.

    Snakemake does not assign device ids on one machine, so parallel jobs use file locks, which the system releases
    whenever a process ends.
    """
    devices = list(visible_devices() if visible is None else visible)
    if count > len(devices):
        raise UserError(f"{count} GPUs are requested, but {len(devices)} are visible")
    with ExitStack() as held:
        leased = _lease(count, devices, locks or default_lock_folder(), held)
        before = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(leased)
        try:
            yield leased
        finally:
            if before is None:
                del os.environ["CUDA_VISIBLE_DEVICES"]
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = before


def _lease(count: int, devices: Sequence[str], folder: Path, held: ExitStack) -> list[str]:
    """Lock `count` devices, all or none, so two jobs never wait for each other's devices."""
    folder.mkdir(parents=True, exist_ok=True)
    has_logged = False
    while True:
        with ExitStack() as tried:
            leased: list[str] = []
            for device in devices:
                if len(leased) < count:
                    try:
                        tried.enter_context(FileLock(folder / f"{device}.lock").acquire(blocking=False))
                    except Timeout:
                        continue
                    leased.append(device)
            if len(leased) == count:
                held.enter_context(tried.pop_all())
                return leased
        if not has_logged:
            logger.info("waiting for %d of %d GPUs", count, len(devices))
            has_logged = True
        time.sleep(SECONDS_BETWEEN_LOOKS)

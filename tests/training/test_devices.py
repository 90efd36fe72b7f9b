"""Leases of pretended devices: files stand for GPUs, so no GPU is needed."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time

import pytest
from filelock import FileLock

from workflow_scripts.errors import UserError
from workflow_scripts.training.devices import leased_devices, resolve_device, visible_devices

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def outside_slurm(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")


def use_device(locks, log, four):
    """Hold a device until four jobs hold one, and a little longer, so that a fifth would be seen."""
    with leased_devices(1, locks=locks) as leased:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == leased[0]
        start = time.monotonic()
        four.wait(timeout=120)
        time.sleep(0.1)
        log.put((leased[0], start, time.monotonic()))


def hold_device(locks):
    with leased_devices(1, locks=locks):
        time.sleep(600)


def test_eight_jobs_use_four_devices_four_at_a_time(tmp_path):
    log, four = FORK.Queue(), FORK.Barrier(4)
    jobs = [FORK.Process(target=use_device, args=(tmp_path, log, four)) for _ in range(8)]
    for job in jobs:
        job.start()
    spans = [log.get(timeout=240) for _ in jobs]
    for job in jobs:
        job.join()
    assert {device for device, _, _ in spans} == {"0", "1", "2", "3"}
    for device, start, end in spans:
        overlapping = [s for s in spans if s[1] < end and s[2] > start]
        assert [s[0] for s in overlapping].count(device) == 1
    assert max(sum(s[1] <= t < s[2] for s in spans) for _, t, _ in spans) == 4


def test_a_killed_job_gives_its_device_back(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    job = FORK.Process(target=hold_device, args=(tmp_path,))
    job.start()
    while not (tmp_path / "7.lock").exists():
        assert job.is_alive()
        time.sleep(0.01)
    job.kill()
    job.join()
    with leased_devices(1, locks=tmp_path) as leased:
        assert leased == ["7"]


def test_several_devices_are_leased_at_once_or_not_at_all(tmp_path):
    with leased_devices(3, locks=tmp_path) as leased:
        assert leased == ["0", "1", "2"]
        with leased_devices(1, ["0", "1", "2", "3"], locks=tmp_path) as other:
            assert other == ["3"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"
    with (
        pytest.raises(UserError, match="5 GPUs are requested, but 4 are visible"),
        leased_devices(5, locks=tmp_path),
    ):
        pass


def leased_in(monkeypatch, temporary, job, step=None):
    """A device leased by a program of a Slurm job, and the lease."""
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("SLURM_JOB_ID", job)
    monkeypatch.delenv("SLURM_STEP_ID", raising=False)
    if step is not None:
        monkeypatch.setenv("SLURM_STEP_ID", step)
    lease = leased_devices(1, ["0", "1", "2", "3"])
    return lease.__enter__()[0], lease


def test_programs_in_one_allocation_take_different_devices(tmp_path, monkeypatch):
    """As inside `salloc`, where Slurm gives four GPUs to all of them together."""
    leases = [leased_in(monkeypatch, tmp_path, "17") for _ in range(4)]
    assert [device for device, _ in leases] == ["0", "1", "2", "3"]
    for _, lease in leases:
        lease.__exit__(None, None, None)


def test_jobs_of_slurm_do_not_wait_for_each_other(tmp_path, monkeypatch):
    """On one node each may have a GPU that Slurm calls 0."""
    first, of_first = leased_in(monkeypatch, tmp_path, "17")
    second, of_second = leased_in(monkeypatch, tmp_path, "18")
    of_a_step, of_its_step = leased_in(monkeypatch, tmp_path, "18", step="3")
    assert first == second == of_a_step == "0"
    for lease in (of_its_step, of_second, of_first):
        lease.__exit__(None, None, None)


def test_a_held_device_is_kept_until_the_process_ends(tmp_path):
    """A job that finds that it needs no device before its end holds none."""
    program = (
        "import torch\n"
        "torch.cuda.device_count = lambda: 1\n"
        "from workflow_scripts.training.devices import default_lock_folder, held_device\n"
        "assert not default_lock_folder().exists()\n"
        "assert held_device('auto') == 'cuda'\n"
        "assert (default_lock_folder() / '0.lock').exists()\n"
        "import subprocess, sys\n"
        "held = \"from filelock import FileLock; FileLock('%s').acquire(blocking=False)\"\n"
        "held = held % (default_lock_folder() / '0.lock')\n"
        "assert subprocess.run([sys.executable, '-c', held], capture_output=True).returncode\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0"}
    environment.pop("SLURM_JOB_ID", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lock = next(tmp_path.rglob("0.lock"))
    FileLock(lock).acquire(blocking=False)  # the system has released it


def test_hidden_devices_are_not_visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_devices() == []


def test_unknown_devices_are_refused():
    with pytest.raises(UserError, match="device is 'tpu'; allowed are auto, cpu, cuda"):
        resolve_device("tpu")

"""Leases of pretended devices: files stand for GPUs, so no GPU is needed."""

import multiprocessing
import os
import time

import pytest

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


def test_slurm_hands_out_devices_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    with leased_devices(2, locks=tmp_path) as leased:
        assert leased == ["GPU-a", "GPU-b"]
    with leased_devices(1, locks=tmp_path):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-a"
    assert not list(tmp_path.iterdir())


def test_hidden_devices_are_not_visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_devices() == []


def test_unknown_devices_are_refused():
    with pytest.raises(UserError, match="device is 'tpu'; allowed are auto, cpu, cuda"):
        resolve_device("tpu")

"""Two processes on a CPU, started by `accelerate launch` and joined by gloo."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from workflow_scripts import train_models
from workflow_scripts.storage.tables import read_json
from workflow_scripts.tokens.rows import write_rows
from workflow_scripts.training.interruption import NOT_FINISHED
from workflow_scripts.training.processes import is_worker, join_slurm_tasks

STILL = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}


@pytest.fixture
def recipe(tiny_recipe):
    """Without dropout, since processes draw different random numbers; with a short last batch."""
    model = {"type": "gpt2", "settings": {"n_embd": 16, "n_layer": 1, "n_head": 2, **STILL}}
    return tiny_recipe(model=model, tokens=[2000, 5000], batch_rows=2)


def start(words):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "workflow_scripts.train_models", *words, "--processes", "2"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_two_processes_preempted_and_continued_give_the_models_of_one(
    job_options, recipe, make_rows, tmp_path
):
    one, words = job_options(recipe, "one")
    write_rows(make_rows(n_rows=320), tmp_path / "rows.parquet")  # Long enough to be interrupted.
    train_models.main(words)
    two, words = job_options(recipe, "two", **{"checkpoint-steps": 4})
    job = start(words)
    deadline = time.monotonic() + 300
    while not list((two / "checkpoints").glob("run-*/checkpoint-4/checksums.json")):
        assert job.poll() is None and time.monotonic() < deadline, job.communicate()[1]
        time.sleep(0.01)
    job.send_signal(signal.SIGUSR1)
    output = job.communicate(timeout=300)[1]
    assert job.returncode == NOT_FINISHED, output
    job = start(words)
    output = job.communicate(timeout=300)[1]
    assert job.returncode == 0, output
    assert "continued from checkpoint-" in output
    places = [[model["path"] for model in read_json(out / "manifest.json")["models"]] for out in (one, two)]
    assert places[0] == places[1] and len(places[0]) == 2
    for place in places[0]:
        a, b = (load_file(out / place / "model.safetensors") for out in (one, two))
        assert max(np.abs(a[name] - b[name]).max() for name in a) < 1e-4
    assert not (two / "checkpoints").exists()


@pytest.fixture
def slurm_step(monkeypatch):
    """The variables of a task of a Slurm step, and nothing of another launcher."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "CUDA_VISIBLE_DEVICES"):
        os.environ.pop(name, None)

    def set_up(tasks, number, **more):
        os.environ |= {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_NODES": "1"}
        os.environ |= {"SLURM_STEP_NUM_TASKS": tasks, "SLURM_PROCID": number, "SLURM_LOCALID": number, **more}

    return set_up


def test_tasks_of_a_slurm_step_know_who_they_are(slurm_step):
    seen = []
    for number in ("0", "1"):
        slurm_step("2", number, CUDA_VISIBLE_DEVICES="0,1")
        os.environ.pop("LOCAL_RANK", None)
        join_slurm_tasks()
        assert is_worker()
        names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
        seen.append([os.environ[name] for name in names])
    assert [one[:3] for one in seen] == [["0", "0", "2"], ["1", "1", "2"]]
    assert seen[0][3:] == seen[1][3:]


def test_a_task_that_sees_its_own_gpu_alone_takes_the_first(slurm_step):
    slurm_step("2", "1", CUDA_VISIBLE_DEVICES="5")
    join_slurm_tasks()
    assert (os.environ["RANK"], os.environ["LOCAL_RANK"]) == ("1", "0")


def test_a_single_task_is_no_worker(slurm_step):
    slurm_step("1", "0")
    join_slurm_tasks()
    assert not is_worker()

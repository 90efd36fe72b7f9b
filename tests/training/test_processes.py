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
    while not list((two / "checkpoints").glob("run-*/checkpoint-4/complete")):
        assert job.poll() is None and time.monotonic() < deadline, job.communicate()[1]
        time.sleep(0.01)
    job.send_signal(signal.SIGUSR1)
    told = job.communicate(timeout=300)[1]
    assert job.returncode == NOT_FINISHED, told
    job = start(words)
    told = job.communicate(timeout=300)[1]
    assert job.returncode == 0, told
    assert "continued from checkpoint-" in told
    places = [[model["path"] for model in read_json(out / "manifest.json")["models"]] for out in (one, two)]
    assert places[0] == places[1] and len(places[0]) == 2
    for place in places[0]:
        a, b = (load_file(out / place / "model.safetensors") for out in (one, two))
        assert max(np.abs(a[name] - b[name]).max() for name in a) < 1e-4
    assert not (two / "checkpoints").exists()

"""Training in several processes inside an allocation: started by accelerate, or by Slurm as tasks."""

import json
import shlex
import sys

import numpy as np
import pytest

from workflow_scripts.storage.tables import read_json
from workflow_scripts.tokens.rows import Rows, write_rows
from workflow_scripts.tokens.tokenizer import train_tokenizer

pytestmark = pytest.mark.slurm

RECIPE = {
    "model": {"type": "gpt2", "settings": {"n_embd": 16, "n_layer": 1, "n_head": 2}},
    "tokens": [512],
    "layout": "packed",
    "context": 16,
    "batch_rows": 4,
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    train_tokenizer(["a boat on the water"] * 9, 270).save_pretrained(folder / "tokenizer")
    ids = np.random.default_rng(0).integers(1, 200, (40, 16)).astype(np.int32)
    names = [f"r{i}" for i in range(40)]
    kept = np.ones(ids.shape, dtype=bool)
    rows = Rows(names, [[name] for name in names], ids, np.full(40, 16, np.int32), kept)
    write_rows(rows, folder / "rows.parquet")
    return folder


@pytest.fixture(scope="module")
def weights(slurm, inputs, root):
    """Submits a training job with these options of sbatch, started in a given way; gives the digests of its weights."""

    def train(name: str, allocation: list[str], launch: str, *options: str) -> list[str]:
        out = inputs / name
        program = [
            *(sys.executable, "-m", "workflow_scripts.train_models", "--train-set", "toy", "--device", "cpu"),
            *("--rows", str(inputs / "rows.parquet"), "--tokenizer", str(inputs / "tokenizer")),
            *("--recipe", json.dumps(RECIPE), "--seeds", "0", "--checkpoints", str(out / "checkpoints")),
            *("--models", str(out / "models"), "--manifest", str(out / "manifest.json")),
            *("--times", str(out / "times.json"), *options),
        ]
        log = inputs / f"{name}.txt"
        job = slurm.run(
            *("sbatch", "--parsable", "--mem=4000", f"--output={log}", f"--chdir={root}", *allocation),
            *("--wrap", f"export PYTHONPATH={shlex.quote(str(root))}; {launch} {shlex.join(program)}"),
        ).strip()
        done = ("COMPLETED", "FAILED")
        state = slurm.wait_until(lambda: (now := slurm.jobs()[job]) in done and now, f"end of {name}", 600)
        assert state == "COMPLETED", log.read_text()
        return [model["weights_sha256"] for model in read_json(out / "manifest.json")["models"]]

    return train


def test_two_tasks_and_two_processes_of_accelerate_train_the_same_model(weights):
    one_task = ["--ntasks=1", "--cpus-per-task=2", "--gpus=2"]
    by_accelerate = weights("accelerate", one_task, "srun --ntasks=1", "--gpus", "2", "--processes", "2")
    two_tasks = ["--ntasks=2", "--cpus-per-task=1", "--gpus-per-task=1"]
    by_slurm = weights("tasks", two_tasks, "srun --ntasks=2 --gpus-per-task=1", "--gpus", "2")
    assert len(by_slurm) == 1
    assert by_slurm == by_accelerate
    alone = weights("alone", ["--ntasks=1"], "srun --ntasks=1")
    assert alone != by_slurm  # the gradients were summed in another order

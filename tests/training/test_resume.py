"""A job that is killed or asked to stop, at any step, ends with the weights of an undisturbed one, bit for bit."""

import multiprocessing
import os
import shutil
import signal

import numpy as np
import pytest

from workflow_scripts import train_models
from workflow_scripts.storage.tables import read_json
from workflow_scripts.training import engine
from workflow_scripts.training.interruption import NOT_FINISHED

pytestmark = pytest.mark.faults

FORK = multiprocessing.get_context("fork")  # The child finds torch and transformers imported.
RANDOM = np.random.default_rng()
STEPS = 24


@pytest.fixture
def recipe(tiny_recipe):
    """Dropout is on (the default of GPT-2), so the state of the random numbers matters; so do Adam's moments."""
    return tiny_recipe(tokens=[700, 1100], batch_rows=3, gradient_accumulation=2)


@pytest.fixture
def undisturbed(job_options, recipe, digests):
    out, words = job_options(recipe, "undisturbed", seeds=(0, 1))
    train_models.main(words)
    return digests(out / "models")


def run_until(words, where, at_step, number):
    """Run the job in a child that sends itself a signal at the end of a step, or in the middle of a checkpoint.

    Returns the child's exit code, negative for the signal that killed it.
    """

    def child():
        def signal_at(step):
            if step == at_step:
                os.kill(os.getpid(), number)

        step_ends, saves = engine.Keeper.on_step_end, engine.QuietTrainer._save_rng_state

        def step_end(self, args, state, control, **kwargs):
            if where == "step":
                signal_at(state.global_step)
            return step_ends(self, args, state, control, **kwargs)

        def save(self, folder):
            if where == "save":
                signal_at(self.state.global_step)
            return saves(self, folder)

        engine.Keeper.on_step_end, engine.QuietTrainer._save_rng_state = step_end, save
        train_models.main(words)

    process = FORK.Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode is not None, "the job hangs"
    return process.exitcode


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ("step", signal.SIGKILL),
        ("save", signal.SIGKILL),
        ("step", signal.SIGTERM),
        ("step", signal.SIGUSR1),
    ],
)
def test_a_disturbed_job_ends_as_an_undisturbed_one(where, number, job_options, recipe, undisturbed, digests):
    every = int(RANDOM.integers(2, 6))
    steps = RANDOM.choice(np.arange(2, STEPS // every), 2, replace=False) * every
    if where == "step":
        steps += RANDOM.integers(0, every, 2)
    print(f"checkpoint every {every} steps, disturbed at {steps}")
    out, words = job_options(recipe, "disturbed", seeds=(0, 1), **{"checkpoint-steps": every})
    expected = -number if number == signal.SIGKILL else NOT_FINISHED
    for step in sorted(steps):
        assert run_until(words, where, int(step), number) == expected
        assert not (out / "models").exists()
    train_models.main(words)
    assert digests(out / "models") == undisturbed
    assert not (out / "checkpoints").exists()


def test_a_checkpoint_is_saved_on_request_and_continued(job_options, recipe, caplog):
    out, words = job_options(recipe, "asked")
    assert run_until(words, "step", 7, signal.SIGUSR1) == NOT_FINISHED
    (checkpoint,) = (out / "checkpoints").glob("run-*/checkpoint-*")
    assert checkpoint.name == "checkpoint-7"
    with caplog.at_level("INFO"):
        train_models.main(words)
    assert "continued from checkpoint-7" in caplog.text


def test_a_cut_file_of_the_last_checkpoint_falls_back_to_the_one_before(
    job_options, recipe, undisturbed, digests, caplog
):
    out, words = job_options(recipe, "cut", seeds=(0, 1), **{"checkpoint-steps": 3})
    assert run_until(words, "step", 14, signal.SIGKILL) == -signal.SIGKILL
    checkpoints = sorted(
        (out / "checkpoints").glob("run-*/checkpoint-*"), key=lambda path: path.stat().st_mtime
    )
    assert {path.name for path in checkpoints} == {"checkpoint-9", "checkpoint-12"}
    (last,) = (path for path in checkpoints if path.name == "checkpoint-12")
    files = sorted(path for path in last.iterdir() if path.stat().st_size)
    damaged = files[RANDOM.integers(len(files))]
    print(f"cut: {damaged}")
    os.truncate(damaged, damaged.stat().st_size // 2)
    with caplog.at_level("INFO"):
        train_models.main(words)
    assert "checkpoint-12 is damaged: using the previous checkpoint" in caplog.text
    assert "continued from checkpoint-9" in caplog.text
    assert digests(out / "models") == undisturbed


@pytest.mark.parametrize(
    "name", ["finished.json", "models/tokens-700/model.safetensors", "models/tokens-1100"]
)
def test_a_finished_seed_with_a_damaged_file_is_trained_again(
    name, job_options, recipe, monkeypatch, undisturbed, digests, caplog
):
    out, words = job_options(recipe, "damaged", seeds=(0, 1))
    original = engine.train

    def stop_before_the_second(model, schedule, recipe, seed, *rest):
        if seed == 1:
            raise RuntimeError("the node has failed")
        return original(model, schedule, recipe, seed, *rest)

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="node"):
        patched.setattr(engine, "train", stop_before_the_second)
        train_models.main(words)
    (damaged,) = (out / "checkpoints").glob(f"run-*/{name}")
    if damaged.is_dir():
        shutil.rmtree(damaged)
    else:
        os.truncate(damaged, damaged.stat().st_size - 1)
    train_models.main(words)
    assert "training again from the start, because a file is damaged" in caplog.text
    assert digests(out / "models") == undisturbed


def test_a_finished_seed_survives_a_later_failure_of_the_job(
    job_options, recipe, monkeypatch, undisturbed, digests
):
    out, words = job_options(recipe, "failing", seeds=(0, 1))
    trained = []
    original = engine.train

    def fail_at_the_second(model, schedule, recipe, seed, *rest):
        trained.append(seed)
        if trained == [0, 1]:
            raise RuntimeError("the node has failed")
        return original(model, schedule, recipe, seed, *rest)

    monkeypatch.setattr(engine, "train", fail_at_the_second)
    with pytest.raises(RuntimeError, match="node"):
        train_models.main(words)
    train_models.main(words)
    assert trained == [0, 1, 1]
    assert [run["reused"] for run in read_json(out / "times.json")] == [True, False]
    assert digests(out / "models") == undisturbed


def test_a_finished_seed_of_another_recipe_is_not_taken(job_options, recipe, monkeypatch):
    seeds = []
    original = engine.train

    def noted(model, schedule, recipe, seed, *rest):
        seeds.append(seed)
        return original(model, schedule, recipe, seed, *rest) and seed == 0

    monkeypatch.setattr(engine, "train", noted)
    for settings in (recipe, {**recipe, "learning_rate": 0.5}):
        _, words = job_options(settings, "other", seeds=(0, 1))
        with pytest.raises(SystemExit):
            train_models.main(words)
    assert seeds == [0, 1, 0, 1]

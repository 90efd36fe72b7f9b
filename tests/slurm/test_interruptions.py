"""Jobs that are cancelled, requeued or killed in the middle, run out of memory or time, or lose their node."""

import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slurm

PATIENCE = 600  # seconds, of which a machine without other work needs a few

WAYS = ("scancel", "scontrol requeue", "SIGKILL")
SETS = dict(zip(WAYS, ("sets-0", "sets-1", "sets-2"), strict=True))
TRAIN_SETS = dict(zip(WAYS, ("scientific_docstrings", "cpp_headers", "science_50"), strict=True))

ONE_SET = {"sets_per_job": 1}  # each embedding is a job, to be stopped alone

# Batches of a second or two, and training of some ten seconds with a checkpoint in every second.
LONGER = {
    **ONE_SET,
    "alignment": {"batches": 12},
    "estimators": {"corrected": {"label_draws": 96}},
    "recipes": {
        "from_scratch": {
            "model": {"settings": {"n_layer": 2, "n_embd": 96}},
            "tokens": [32768, 65536],
            "epochs": 4,
        }
    },
    "resources": {"train_models": {"checkpoint_seconds": 1}},
}


def embedding(job):
    return f"results/quick/embeddings/seed-0/corrected/{job}"


def embeddings_in(folder):
    """The tables of embeddings in a job's folder: name and content."""
    found = {path.name: path.read_bytes() for path in folder.glob("*.parquet")}
    assert found
    return found


def manifest(train_set):
    return f"results/quick/training/from_scratch/{train_set}/seeds-0/manifest.json"


def end(slurm, job, way):
    """Stop a running job in one of the ways."""
    if way == "scancel":
        slurm.run("scancel", job)
    elif way == "scontrol requeue":
        slurm.run("scontrol", "requeue", job)
        slurm.start_requeued(job)
    else:
        for pid in programs(slurm, job):
            os.kill(pid, signal.SIGKILL)


def programs(slurm, job):
    """Processes of the workflow's own programs in a job."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in slurm.job_processes(job)}
    return [pid for pid, command in commands.items() if b"\0-m\0workflow_scripts." in command]


def kept(checkout):
    """Finished batches in the store: content and time of each."""
    folder = checkout.results / "store" / "embeddings"
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".part")]
    return {path.name: path.stat().st_mtime_ns for path in files}


def log_of(checkout, rule, name):
    path = checkout.results / "logs" / rule / f"{name}.log"
    return path.read_text() if path.exists() else ""


@pytest.fixture(scope="module")
def undisturbed(prepared):
    """The same jobs on this machine, left alone: started here, awaited by who needs them."""
    checkout = prepared("undisturbed")
    targets = [*map(embedding, SETS.values()), *map(manifest, TRAIN_SETS.values())]
    running = checkout.start(*targets, config=LONGER, on_slurm=False)
    return checkout, running


@pytest.fixture(scope="module")
def embedded(slurm, prepared, undisturbed):
    """Three embedding jobs, each interrupted in its own way after some batches; what the store held then."""
    checkout = prepared("embedded")
    running = checkout.start(*map(embedding, SETS.values()), config=LONGER)
    before = {}
    for way, name in SETS.items():
        log = f"seed-0.corrected.{name}"
        slurm.wait_until(
            lambda log=log: "batch 3 of 12" in log_of(checkout, "embed_batches", log),
            f"batches of {name}",
            PATIENCE,
        )
        before[way] = kept(checkout)
        end(slurm, running.submitted(name)[-1], way)
    return checkout, running.finish(), before


@pytest.fixture(scope="module")
def trained(slurm, prepared, undisturbed):
    """Three training jobs, each interrupted in its own way after a checkpoint; the steps that it had then."""
    checkout = prepared("trained")
    running = checkout.start(*map(manifest, TRAIN_SETS.values()), config=LONGER)
    before = {}
    for way, name in TRAIN_SETS.items():
        folder = checkout.results / "store" / "checkpoints" / "from_scratch" / name
        found = slurm.wait_until(
            lambda folder=folder: list(folder.glob("*/run-*/checkpoint-*/checksums.json")),
            f"checkpoint of {name}",
            PATIENCE,
        )
        before[way] = max(int(path.parent.name.removeprefix("checkpoint-")) for path in found)
        end(slurm, running.submitted(f"{name}_0")[-1], way)
    return checkout, running.finish(), before


@pytest.mark.parametrize("way", WAYS)
def test_no_finished_batch_is_lost(embedded, way):
    checkout, _, before = embedded
    assert len(before[way]) >= 3
    after = kept(checkout)
    assert {name: after.get(name) for name in before[way]} == before[way]
    log = log_of(checkout, "embed_batches", f"seed-0.corrected.{SETS[way]}")
    assert log.count("found in the store") >= 3
    assert len(after) == 3 * 12


@pytest.mark.parametrize("way", WAYS)
def test_an_interrupted_embedding_is_that_of_an_undisturbed_job(embedded, undisturbed, way):
    reference, running = undisturbed
    running.finish()
    name = embedding(SETS[way])
    assert embeddings_in(embedded[0].folder / name) == embeddings_in(reference.folder / name)


@pytest.mark.parametrize("way", WAYS)
def test_no_checkpoint_is_lost(trained, way):
    checkout, _, before = trained
    log = log_of(checkout, "train_models", f"from_scratch.{TRAIN_SETS[way]}.seeds-0")
    steps = [int(line.rsplit("-", 1)[1]) for line in log.splitlines() if "continued from checkpoint-" in line]
    assert steps, log
    assert max(steps) >= before[way]


@pytest.mark.parametrize("way", WAYS)
def test_an_interrupted_model_is_that_of_an_undisturbed_job(trained, undisturbed, way):
    reference, running = undisturbed
    running.finish()
    folder = Path(manifest(TRAIN_SETS[way])).parent
    models = sorted(
        path.relative_to(reference.folder) for path in (reference.folder / folder).rglob("*.safetensors")
    )
    assert len(models) == 2
    for model in models:
        assert (trained[0].folder / model).read_bytes() == (reference.folder / model).read_bytes()


def test_slurm_starts_a_requeued_job_and_snakemake_the_others(embedded):
    output = embedded[1]
    assert output.count("Trying to restart job") == 2
    assert "CANCELLED" in output


@pytest.fixture(scope="module")
def over_time(prepared):
    """A job of one minute that needs many: started here, awaited by who needs it after other tests."""
    slow = {
        **ONE_SET,
        "estimators": {"corrected": {"head_epochs": 20_000}},
        "resources": {"embed_batches": {"runtime": 1}},
    }
    checkout = prepared("time")
    target = embedding("sets-1")
    return checkout, checkout.start(target, "--retries", "0", "--no-hooks", config=slow)


def test_a_job_over_its_memory_is_retried_with_more(slurm, prepared, over_time):
    checkout = prepared("memory")
    name = "sets-2"
    starved = {**ONE_SET, "resources": {"embed_batches": {"mem_mb": 350}}}
    running = checkout.start(embedding(name), config=starved)
    output = running.finish()
    jobs = running.submitted(name)
    asked = [
        slurm.run("squeue", "--noheader", "--states=all", f"--jobs={job}", "--Format=MinMemory")
        for job in jobs
    ]
    memory = [int(float(text.strip().rstrip("M"))) for text in asked]
    assert memory == [350, 700, 1400][: len(jobs)]
    assert len(jobs) > 1
    first_log = next((checkout.folder / ".snakemake" / "slurm_logs").rglob(f"{jobs[0]}.log")).read_text()
    assert "exceeded memory limit" in first_log
    assert "Trying to restart job" in output
    assert embeddings_in(checkout.folder / embedding(name))


def test_after_a_failure_the_page_of_what_exists_is_made_on_the_cluster_too(new_checkout, quick_runs):
    checkout = new_checkout("failed", quick_runs.local)
    failed = checkout.folder / manifest("science_50")
    shutil.rmtree(failed.parent)
    shutil.rmtree(checkout.results / "losses")
    page = checkout.results / "report" / "index.html"
    page.unlink()
    starved = {"resources": {"train_models": {"mem_mb": 60}}}
    running = checkout.start("report", "--retries", "0", config=starved)
    assert running.process.wait(PATIENCE) != 0
    assert len(running.submitted("science_50_0")) == 1
    assert page.is_file()
    assert not failed.exists()
    said_later = running.output.split("Error in rule train_models")[1]
    assert re.search(r"submitted with SLURM jobid \d+ \(log: \S*analysis", said_later)


def test_a_job_over_its_time_says_so(over_time):
    checkout, running = over_time
    assert running.process.wait(PATIENCE) != 0
    assert "SLURM status is: 'TIMEOUT'" in running.output
    (job,) = running.submitted("sets-1")
    log = next((checkout.folder / ".snakemake" / "slurm_logs").rglob(f"{job}.log")).read_text()
    assert "DUE TO TIME LIMIT" in log


def test_a_stopped_run_cancels_its_jobs_and_the_next_adopts_what_is_finished(slurm, prepared):
    checkout = prepared("stopped")
    names = list(SETS.values())
    running = checkout.start(embedding(names[0]), config=ONE_SET)
    running.finish()
    targets = [embedding(name) for name in names]
    # The longer settings would make the finished one anew, so they come as those of the other two alone.
    longer = {**ONE_SET, "estimators": {"corrected": {"label_draws": 96}}}
    running = checkout.start(*targets[1:], config=longer)
    log = f"seed-0.corrected.{names[1]}"
    slurm.wait_until(lambda: "batch 1 of 4" in log_of(checkout, "embed_batches", log), "a batch", PATIENCE)
    before = kept(checkout)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(PATIENCE) != 0
    jobs = running.submitted()
    assert jobs
    slurm.wait_until(lambda: {slurm.jobs()[job] for job in jobs} == {"CANCELLED"}, "all cancelled", PATIENCE)
    assert not (checkout.folder / targets[1]).exists()
    assert not (
        checkout.results / "store" / "only_existing.json"
    ).exists()  # Nothing failed: no page of what is there.

    again = checkout.start(*targets[1:], config=longer)
    again.finish()
    assert again.submitted(names[0]) == []
    after = kept(checkout)
    assert {name: after.get(name) for name in before} == before


def test_a_node_that_dies_and_comes_back(slurm, prepared):
    checkout = prepared("node")
    name = "sets-1"
    running = checkout.start(embedding(name), config=LONGER)
    slurm.wait_until(
        lambda: "batch 3 of 12" in log_of(checkout, "embed_batches", f"seed-0.corrected.{name}"),
        "batches",
        PATIENCE,
    )
    before = kept(checkout)
    slurm.kill_node()
    assert slurm.node_state().startswith("down")
    (job,) = running.submitted()
    slurm.revive_node()
    time.sleep(
        10
    )  # The node is first told to end what it had of the job, which must not hit the job's new start.
    slurm.start_requeued(job)
    running.finish()
    assert running.submitted() == [job]  # Slurm itself started it again
    after = kept(checkout)
    assert {name: after.get(name) for name in before} == before
    assert len(after) == 12

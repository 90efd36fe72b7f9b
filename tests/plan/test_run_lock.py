"""A lock goes when its owner is provably dead, and only then."""

import errno
import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from snakemake_interface_common.exceptions import WorkflowError

from workflow_scripts.errors import UserError
from workflow_scripts.plan import run_lock
from workflow_scripts.plan.run_lock import state_of, take_run
from workflow_scripts.storage.tables import write_plain_json

pytestmark = pytest.mark.faults
OWNER = """
import subprocess, sys, time
from pathlib import Path
from workflow_scripts.plan.run_lock import take_run
take_run("results/x", Path(".snakemake/locks"), {here})
{job}
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_lock.atexit, "register", lambda function: None)
    monkeypatch.setenv(run_lock.MARK, "")
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.output.lock").write_text("results/x/tokens/a.parquet\n")
    (tmp_path / ".snakemake/locks/1.output.lock").write_text("results/other/tokens/a.parquet\n")
    return tmp_path


@pytest.fixture
def owner(folder, root):
    """Starts a process that takes the run, and ends it with the test."""
    started = []

    def start(here=True, job=""):
        environment = {**os.environ, "PYTHONPATH": str(root)}
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER.format(here=here, job=job)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def take(folder):
    return take_run("results/x", folder / ".snakemake/locks", runs_jobs_here=True)


def locks(folder):
    return sorted(path.name for path in (folder / ".snakemake/locks").iterdir())


def test_the_lock_of_a_killed_run_goes_and_that_of_another_run_stays(folder, owner):
    process = owner()
    kill(process)
    output = take(folder)
    assert f"process {process.pid}" in output
    assert "was killed; its lock is removed, and this run continues where it stopped" in output
    assert locks(folder) == ["1.output.lock"]
    (note,) = (folder / "results/x/store/runs").iterdir()
    assert json.loads(note.read_text())["process"] == os.getpid()


@pytest.mark.parametrize("here", [True, False])
def test_temporary_files_of_a_killed_run_go_where_no_job_can_be_left(folder, owner, here):
    kill(owner(here))
    (folder / ".snakemake/locks/0.output.lock").unlink()
    store = folder / "results/x/store"
    (store / ".model.abc.part/model").mkdir(parents=True)
    (store / ".model.abc.part/model/weights").touch()
    for name in (".table.parquet.abc.part", "table.parquet", ".hidden", "a.part"):
        (store / name).touch()
    take(folder)
    kept = {".hidden", "a.part", "runs", "table.parquet"}
    left = kept if here else kept | {".model.abc.part", ".table.parquet.abc.part"}
    assert {path.name for path in store.iterdir()} == left


def test_a_run_at_work_is_not_disturbed(folder, owner):
    process = owner()
    with pytest.raises(
        UserError, match=rf"process {process.pid} on .* is using results/x: wait until it ends"
    ):
        take(folder)
    assert locks(folder) == ["0.output.lock", "1.output.lock"]


def test_jobs_that_outlive_their_run_are_waited_for(folder, owner):
    sleeper = "print(subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL).pid, file=open('job', 'w'))"
    process = owner(job=sleeper)
    kill(process)
    job = int((folder / "job").read_text())
    try:
        with pytest.raises(UserError, match=rf"its jobs still write to results/x \(processes {job}\)"):
            take(folder)
    finally:
        os.kill(job, signal.SIGKILL)


def test_the_jobs_of_a_dead_run_on_a_cluster_may_live(folder, owner):
    kill(owner(here=False))
    with pytest.raises(UserError, match=r"may still be at work .* `snakemake --unlock`"):
        take(folder)
    (folder / ".snakemake/locks/0.output.lock").unlink()  # as `snakemake --unlock` does
    assert take(folder) is None


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "alive"),
        ({"start": 1}, "dead"),  # its number was given to a later process
        ({"process": 2**22 + 1}, "dead"),
        ({"boot": "earlier"}, "dead"),  # this machine was restarted
        ({"boot": "earlier", "machine": "elsewhere:1"}, "unknown"),
        ({"process_namespace": "pid:[1]"}, "unknown"),
    ],
)
def test_only_proof_counts(folder, change, state):
    take(folder)
    (note,) = (folder / "results/x/store/runs").iterdir()
    run = json.loads(note.read_text()) | change
    assert state_of(run) == state
    write_plain_json(run, note)
    if state == "unknown":
        with pytest.raises(UserError, match="may still be at work"):
            take(folder)
        assert "0.output.lock" in locks(folder)


def test_a_note_that_a_power_cut_emptied_proves_nothing(folder):
    notes = folder / "results/x/store/runs"
    notes.mkdir(parents=True)
    (notes / "here-1-1.json").touch()
    with pytest.raises(UserError, match="another run may still be at work"):
        take(folder)


def test_a_lock_without_a_note_is_left_to_snakemake(folder):
    assert take(folder) is None
    assert locks(folder) == ["0.output.lock", "1.output.lock"]


def test_a_folder_of_results_that_cannot_be_written_is_named(folder, monkeypatch):
    def refuse(*given):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "results/x/store")

    monkeypatch.setattr(run_lock, "take_run", refuse)
    settings = SimpleNamespace(local_exec=True, dryrun_exec=False, touch_exec=False)
    workflow = SimpleNamespace(
        execute=lambda **given: None,
        execution_settings=SimpleNamespace(lock=True),
        exec_mode=SimpleNamespace(name="DEFAULT"),
    )
    run_lock.take_run_before_execution(workflow, "results/x", folder / ".snakemake/locks")
    with pytest.raises(WorkflowError, match="results/x/store: Read-only file system; write elsewhere"):
        workflow.execute(executor_plugin=SimpleNamespace(common_settings=settings))

"""Runs and single programs are killed, and the power is cut: the next run goes on by itself, with the same results.

PLUMBLINE_KILLS says how often: one kill in seven is of the whole workflow, the others are of single programs.
PLUMBLINE_KILL_SEED repeats the kills of single programs.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import damage, kills
from benchmarks.damage import TIMED

pytestmark = [pytest.mark.whole_run, pytest.mark.faults]
TARGETS = [
    "results/quick/corpora/library_docstrings/documents.parquet",
    "results/quick/tokens/tokenizer/tokenizer.json",
]
KILLS = int(os.environ.get("PLUMBLINE_KILLS", "14"))
IS_LONG = KILLS >= 100
STAGE = "report" if IS_LONG else "tokens"
SEED = int(os.environ.get("PLUMBLINE_KILL_SEED", random.SystemRandom().randrange(2**32)))
CHANCE = random.SystemRandom()
# Of the short version.
QUICK_PROGRAMS = ("tokenize_corpus", "compare_sets", "embed_batches", "evaluate_models", "collect_losses")
# Put on the path of a run: kills the named program before it has said anything, as the kernel does without memory.
KILLER = """
import os, signal, sys
if "workflow_scripts.build_corpus" in sys.orig_argv:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def start(checkout, *targets, **environment):
    """A run in a process group of its own."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *targets]
    bin_folder = str(Path(sys.executable).parent)
    return subprocess.Popen(
        [*command, "--configfile", "configs/quick.yaml"],
        cwd=checkout.folder,
        start_new_session=True,
        # A shell in the background has its children ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", **environment},
    )


def processes_in(folder):
    """Processes whose working folder is this one or below it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            if (process / "cwd").resolve().is_relative_to(folder) and int(process.name) != os.getpid():
                found.append((process / "cmdline").read_text())
    return found


def unfinished_files(folder):
    return [path for path in folder.rglob(".*") if path.name.endswith(".part")]


def start_and_wait(checkout, *targets):
    """A run at the time when its first jobs are at work."""
    run = start(checkout, *targets)
    deadline = time.monotonic() + 300
    while not list((checkout.folder / "results/quick/logs").rglob("*.log")):
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    return run


def kill(run):
    with contextlib.suppress(ProcessLookupError):  # it has ended
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def test_a_killed_run_goes_on_by_itself_and_says_so(checkout):
    kill(start_and_wait(checkout, *TARGETS))
    again = checkout.snakemake(*TARGETS)
    assert again.returncode == 0, again.stderr[-3000:]
    assert "was killed; its lock is removed, and this run continues where it stopped" in again.stdout
    assert (checkout.folder / TARGETS[0]).is_file()
    assert not list((checkout.folder / "results/quick/store/runs").iterdir())
    assert "was killed" not in checkout.snakemake(*TARGETS).stdout


def test_random_kills_change_no_file_and_need_nobody(checkout, finished):
    """Each run goes on from the one killed before."""
    for _ in range(max(KILLS // 7, 2)):
        run = start(checkout, STAGE)
        seconds = CHANCE.uniform(3, 30)
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert run.wait(timeout=seconds) == 0
            break
        kill(run)
        print(f"killed after {seconds:.1f} s")
    last = checkout.snakemake(STAGE)
    assert last.returncode == 0, last.stdout[-3000:] + last.stderr[-3000:]
    root = checkout.folder / "results/quick"
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and is_table_or_model(path, root)]
    assert len(files) > (100 if IS_LONG else 10)
    for file in files:
        assert file.read_bytes() == (finished.folder / file.relative_to(checkout.folder)).read_bytes(), file
    assert unfinished_files(checkout.folder) == []
    assert processes_in(checkout.folder) == []
    planned = checkout.snakemake(STAGE, "--dry-run")
    assert "Nothing to be done" in planned.stdout + planned.stderr


def is_table_or_model(path, root):
    """Files without seconds in them that jobs read; not the store, and not logs."""
    stage = path.relative_to(root).parts[0]
    is_read = path.suffix in (".parquet", ".json", ".safetensors")
    return is_read and stage not in ("store", "logs", "benchmarks") and not TIMED.search(path.as_posix())


def test_single_programs_are_killed_in_writes_and_between_and_continue(finished):
    jobs = [job for job in damage.planned_jobs(finished.folder) if job.program not in kills.LEFT_OUT]
    if not IS_LONG:
        jobs = [job for job in jobs if job.program in QUICK_PROGRAMS]
    with damage.copied_run(finished.folder) as folder:
        counts, failures = kills.kills(jobs, KILLS - KILLS // 7, SEED, folder / damage.LOG)
    print(f"seed {SEED}\n{kills.as_table(counts)}")
    assert not failures, f"seed {SEED}\n" + "\n".join(failures)


def test_a_job_that_the_system_kills_is_explained(checkout, tmp_path_factory):
    shim = tmp_path_factory.mktemp("killer")
    (shim / "sitecustomize.py").write_text(KILLER)
    checkout.environment = {"PYTHONPATH": str(shim)}
    done = checkout.snakemake(TARGETS[0])
    assert done.returncode != 0
    assert "error: build_corpus: killed by the system, probably because memory ran out" in done.stdout
    checkout.environment = {}
    assert checkout.snakemake(TARGETS[0]).returncode == 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_leaves_no_process_and_no_temporary_file(checkout, name):
    run = start_and_wait(checkout, "tokens")
    os.killpg(run.pid, signal.Signals[name])
    assert run.wait(timeout=120) != 0
    assert processes_in(checkout.folder) == []
    assert unfinished_files(checkout.folder) == []
    assert not list((checkout.folder / ".snakemake/locks").glob("*.lock"))


def test_two_runs_on_one_folder_at_once_the_second_refuses(checkout):
    run = start_and_wait(checkout, "tokens")  # which takes far longer than the second one asks for
    try:
        second = checkout.snakemake(*TARGETS)
        assert second.returncode != 0
        assert f"(process {run.pid} on " in second.stderr
        assert "is using results/quick: wait until it ends" in second.stderr
        assert "Traceback" not in second.stderr
        planned = checkout.snakemake("--dry-run", *TARGETS)
        assert planned.returncode == 0, planned.stderr
        assert run.poll() is None, "the first run was disturbed, or ended too early for this test"
    finally:
        kill(run)

"""Snakemake itself is killed: the next run goes on by itself; a second run beside a living one is refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.whole_run
CORPUS = "results/quick/corpora/library_docstrings/documents.parquet"
ROWS = "results/quick/tokens/tokenizer/tokenizer.json"


def started(checkout):
    """A run in a process group of its own, at the time when its first jobs are at work."""
    bin_folder = str(Path(sys.executable).parent)
    run = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "snakemake",
            "--cores",
            "2",
            CORPUS,
            ROWS,
            "--configfile",
            "configs/quick.yaml",
        ],
        cwd=checkout.folder,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
    )
    deadline = time.monotonic() + 300
    while not list((checkout.folder / "results/quick/logs").rglob("*.log")):
        assert run.poll() is None and time.monotonic() < deadline, run.communicate()[0]
        time.sleep(0.1)
    return run


def killed(run):
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def test_a_killed_run_goes_on_by_itself_and_says_so(checkout):
    killed(started(checkout))
    again = checkout.snakemake(CORPUS, ROWS)
    assert again.returncode == 0, again.stderr[-3000:]
    assert "was killed; its lock is removed, and this run goes on where it stopped" in again.stdout
    assert (checkout.folder / CORPUS).is_file()
    assert not list((checkout.folder / "results/quick/store/runs").iterdir())
    once_more = checkout.snakemake(CORPUS, ROWS)
    assert "was killed" not in once_more.stdout


def test_two_runs_on_one_folder_at_once_the_second_refuses(checkout):
    run = started(checkout)
    try:
        second = checkout.snakemake(CORPUS, ROWS)
        assert second.returncode != 0
        assert f"(process {run.pid} on " in second.stderr
        assert "is at work on results/quick: wait until it ends" in second.stderr
        assert "Traceback" not in second.stderr
        planned = checkout.snakemake("--dry-run", CORPUS, ROWS)
        assert planned.returncode == 0, planned.stderr
        assert run.poll() is None, "the first run was disturbed, or ended too early for this test"
    finally:
        killed(run)

"""Snakemake itself is killed: the next run goes on by itself; a second run beside a living one is refused.

PLUMBLINE_KILLS says how often a run is killed.
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

pytestmark = [pytest.mark.whole_run, pytest.mark.faults]
TARGETS = [
    "results/quick/corpora/library_docstrings/documents.parquet",
    "results/quick/tokens/tokenizer/tokenizer.json",
]
KILLS = int(os.environ.get("PLUMBLINE_KILLS", "2"))
CHANCE = random.SystemRandom()


def start(checkout, *targets):
    """A run in a process group of its own."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *targets]
    bin_folder = str(Path(sys.executable).parent)
    return subprocess.Popen(
        [*command, "--configfile", "configs/quick.yaml"],
        cwd=checkout.folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
    )


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


def test_random_kills_change_no_table_and_need_nobody(checkout, finished):
    """Each run goes on from the one killed before; when one ends first, its rows are deleted, and it starts again."""
    for _ in range(KILLS):
        run, seconds = start(checkout, "tokens"), CHANCE.uniform(2, 30)
        print(f"killed after {seconds:.1f} s")
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert run.wait(timeout=seconds) == 0
            for table in (checkout.folder / "results/quick/tokens").rglob("*.parquet"):
                table.unlink()
            continue
        kill(run)
    last = checkout.snakemake("tokens")
    assert last.returncode == 0, last.stderr[-3000:]
    tables = sorted((checkout.folder / "results/quick").rglob("*.parquet"))
    assert len(tables) > 10
    for table in tables:
        assert table.read_bytes() == (finished.folder / table.relative_to(checkout.folder)).read_bytes(), (
            table
        )


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

"""Kill single programs of a finished quick run at random moments, run each again, and compare what they write.

Run as `python -m benchmarks.kills --checkout . --count 85` after `make quick`. It works in a copy of the run. Programs
take turns. Every second kill comes at a random moment, every second one just before a random change of a file, so that
writes are interrupted often. After every second kill the power is cut, too: whatever was not flushed to the disk may be
lost. Then, as Snakemake does, the outputs are deleted, and the program runs again with the pieces and checkpoints that
are left. It counts programs that
  continued   and wrote the same bytes as the undisturbed run
  were late   because they ended before the kill
  failed      at the second try
  differ      in a byte
  recomputed  a finished piece of the store
  unflushed   an output of an undisturbed program that a power cut could take
The last four are failures: the exit code is 1 if there are any, and each is printed.
"""

import argparse
import functools
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.damage import LOG, REDONE, RUN, Job, copied_run, is_as_before, planned_jobs, start_job
from benchmarks.power_cut import lose_unflushed, note_flushed, unflushed
from workflow_scripts.storage.content_store import ContentStore

CHANGES = Path("changes.txt")
FLUSHED = Path("flushed.txt")
OUTCOMES = ("continued", "were late", "failed", "differ", "recomputed", "unflushed")
FAILURES = frozenset(OUTCOMES[2:])
# It writes one of its outputs to standard output, and reads files outside the run.
LEFT_OUT = frozenset({"analyse_published"})


@dataclass(frozen=True)
class Undisturbed:
    """How long a job takes, how many changes of files it makes, and which outputs a power cut could take."""

    seconds: float
    changes: int
    unflushed: list[str]


def with_own_store(job: Job) -> Job:
    """The job with a store of its own, empty at first, so that there is work to lose."""
    words = tuple(f"{REDONE}/{word}" if word.startswith(f"{RUN}/store") else word for word in job.words)
    return replace(job, words=words)


def watch(fatal_change: int = 0) -> None:
    """Preparation of a job: notes flushed files and counts changes of files; kills itself before the fatal one."""
    note_flushed(FLUSHED)
    flush, count = os.fsync, 0

    def notice(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        is_written = (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if not (is_written or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "flush")):
            return
        if not any(str(REDONE) in str(argument) for argument in arguments[:2]):
            return
        count += 1
        if count == fatal_change:
            os.kill(os.getpid(), signal.SIGKILL)
        CHANGES.write_text(str(count))

    def flush_and_notice(descriptor: Any) -> None:
        notice("flush", (REDONE,))
        flush(descriptor)

    os.fsync = flush_and_notice  # type: ignore[assignment]
    sys.addaudithook(notice)


def run_undisturbed(job: Job, log: Path) -> Undisturbed:
    """Run a job to its end."""
    for path in (CHANGES, FLUSHED):
        path.unlink(missing_ok=True)
    shutil.rmtree(REDONE, ignore_errors=True)
    start = time.monotonic()
    child = start_job(job, log, watch)
    child.join()
    seconds = time.monotonic() - start
    assert child.exitcode == 0 and is_as_before(job), f"{job.program}: {log.read_text()}"
    taken = [file.as_posix() for file in written_files(job) if unflushed(file, FLUSHED)]
    return Undisturbed(seconds, int(CHANGES.read_text()), taken)


def written_files(job: Job) -> Iterator[Path]:
    """The outputs of a job, folders file by file, and the finished pieces of its store."""
    for output in (*(REDONE / Path(output) for output in job.outputs), REDONE / RUN / "store"):
        for path in output.rglob("*") if output.is_dir() else [output]:
            if path.is_file():
                yield path


@contextmanager
def none_recomputed(job: Job, recomputed: list[str]) -> Iterator[None]:
    """Lists the files of the store that are there before this block and of which a piece was computed again.

    Files that hold many pieces are written again with more of them. A piece that is computed again takes other seconds.
    """
    before = {
        path: (path.stat().st_ino, ContentStore(folder).get(path.name))
        for folder in (REDONE / RUN / "store").glob("*")
        if folder.name != "checkpoints"
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    yield
    for path, (inode, pieces) in before.items():
        if not path.exists() or path.stat().st_ino == inode or pieces is None:
            continue
        after = ContentStore(path.parents[1]).get(path.name) or {}
        has_more = after.keys() > pieces.keys()
        if not (has_more and all(np.array_equal(after[name], piece) for name, piece in pieces.items())):
            recomputed.append(str(path))


def killed_and_continued(
    job: Job, usual: Undisturbed, in_a_write: bool, power_cut: bool, chance: random.Random, log: Path
) -> tuple[str, str]:
    """Kill a job, run it again, and classify the outcome; returns a line for messages, too."""
    shutil.rmtree(REDONE, ignore_errors=True)
    FLUSHED.unlink(missing_ok=True)
    change = chance.randint(1, usual.changes) if in_a_write else 0
    child = start_job(job, log, functools.partial(watch, change))
    seconds = chance.uniform(0, usual.seconds)
    child.join(None if in_a_write else seconds)
    if child.exitcode is None:
        child.kill()
        child.join()
    moment = f"before change {change} of {usual.changes}" if in_a_write else f"after {seconds:.2f} s"
    if child.exitcode == 0:
        return "were late", moment
    lost = lose_unflushed(REDONE, FLUSHED, chance) if power_cut else []
    for output in job.outputs:
        path = REDONE / Path(output)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    recomputed: list[str] = []
    with none_recomputed(job, recomputed):
        child = start_job(job, log)
        child.join()
    moment += f", {len(lost)} files lost" if power_cut else ""
    if child.exitcode != 0:
        return (
            "failed",
            f"{moment}: {' / '.join(log.read_text(errors='replace').strip().splitlines()[-2:])[-400:]}",
        )
    if not is_as_before(job):
        return "differ", moment
    intact = [path for path in recomputed if not any(path in line for line in lost)]
    return ("recomputed", f"{moment}: {intact[0]}") if intact else ("continued", moment)


def kills(jobs: list[Job], count: int, seed: int, log: Path) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Counts by program and outcome, and a line for every failure."""
    chance = random.Random(seed)
    counts: Counter[tuple[str, str]] = Counter()
    failures = []
    by_program: dict[str, list[Job]] = {}
    for job in map(with_own_store, jobs):
        by_program.setdefault(job.program, []).append(job)
    known: dict[Job, Undisturbed] = {}
    number = 0
    while sum(n for (_, found), n in counts.items() if found not in ("were late", "unflushed")) < count:
        program = sorted(by_program)[number % len(by_program)]
        rounds = number // len(by_program)
        number += 1
        job = chance.choice(by_program[program])
        if job not in known:
            known[job] = run_undisturbed(job, log)
            for file in known[job].unflushed:
                counts[program, "unflushed"] += 1
                failures.append(f"unflushed: {file} of {program}")
        in_a_write, power_cut = (number + rounds) % 2 == 0, (number + rounds) % 4 >= 2
        found, line = killed_and_continued(job, known[job], in_a_write, power_cut, chance, log)
        counts[program, found] += 1
        if found in FAILURES:
            failures.append(f"{found}: {program}, killed {line}")
    return counts, failures


def as_table(counts: Counter[tuple[str, str]]) -> str:
    lines = [f"{'':<24}" + "".join(f"{outcome:>12}" for outcome in OUTCOMES)]
    for program in sorted({program for program, _ in counts}):
        lines.append(f"{program:<24}" + "".join(f"{counts[program, outcome]:>12}" for outcome in OUTCOMES))
    totals = [sum(n for (_, found), n in counts.items() if found == outcome) for outcome in OUTCOMES]
    return "\n".join([*lines, f"{'all':<24}" + "".join(f"{total:>12}" for total in totals)])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkout", type=Path, default=Path(), help="where `make quick` was run")
    parser.add_argument("--count", type=int, default=85, help="kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--programs", nargs="+", help="kill only these")
    given = parser.parse_args()
    start = time.monotonic()
    jobs = planned_jobs(given.checkout.resolve())
    with copied_run(given.checkout.resolve()) as folder:
        named = {job.program for job in jobs} - LEFT_OUT if given.programs is None else set(given.programs)
        chosen = [job for job in jobs if job.program in named]
        counts, failures = kills(chosen, given.count, given.seed, folder / LOG)
    print(as_table(counts))
    print(f"{given.count} kills, seed {given.seed}, {time.monotonic() - start:.0f} s")
    for line in failures:
        print(line)
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()

"""Damage random files of a finished quick run, rerun a job that reads each, and count the outcomes.

Run as `python -m benchmarks.damage --checkout . --count 500` after `make quick`. It damages a copy of the run. It
counts damages that were
  noticed          in one sentence with the name of the file, without an output
  remade           (a piece of the store): the job says so, and its outputs are those of the run
  without effect   on any output
  unnamed          an error without the name of the file
  silent           another output than before, and no error
  traceback        any traceback
The last three are failures: the exit code is 1 if there are any, and each is printed.
"""

import argparse
import contextlib
import functools
import importlib
import io
import json
import multiprocessing
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from workflow_scripts.command_line import run
from workflow_scripts.storage import folders, revision, tables
from workflow_scripts.storage.content_store import ContentStore
from workflow_scripts.storage.tables import read_plain_json

REDONE = Path("redone")
LOG = "job.txt"
RUN = Path("results/quick")
COMMIT = Path("commit.json")
KINDS = ("flipped bit", "cut", "zeroed block", "appended", "emptied", "foreign")
OUTCOMES = ("noticed", "remade", "without effect", "unnamed", "silent", "traceback")
FAILURES = frozenset(OUTCOMES[3:])
# Seconds, which differ from run to run, and the tables and pages that quote them.
TIMED = re.compile(r"(^|/)times/|cost|index\.html$|figures/|\.log$")
# They take longer than all other jobs together, and read the same kinds of file.
SLOW = frozenset({"train_probe", "train_models"})


@dataclass(frozen=True)
class Job:
    """A job as the workflow runs it: a program, its options, and its files."""

    program: str
    words: tuple[str, ...]
    outputs: tuple[str, ...]
    standard_input: str

    def redirected(self) -> list[str]:
        """The options, with outputs in a folder next to the run."""
        return [
            f"{REDONE}/{word}"
            if any(word == file or file.startswith(f"{word}/") for file in self.outputs)
            else word
            for word in self.words
        ]

    def reads(self, file: str) -> bool:
        """Whether a file, or a folder around it, is among the options; for models, the options name their manifest."""
        named = [word.partition("=")[2] or word for word in self.words if word not in self.outputs]
        if self.program == "evaluate_models":
            named += [name.replace("/manifest.json", "/models") for name in named]
        folders = {parent.as_posix() for parent in Path(file).parents}
        return any(name == file or name in folders for name in named if name.startswith(f"{RUN}/"))


def jobs_of(plan: str) -> list[Job]:
    """The jobs of a dry run with all of them forced, which prints outputs and shell commands."""
    found: list[Job] = []
    outputs: tuple[str, ...] = ()
    for line in plan.splitlines():
        if line.startswith("    output: "):
            outputs = tuple(line.removeprefix("    output: ").split(", "))
        elif line.startswith("Shell command: python -m workflow_scripts."):
            _, _, module, *words = shlex.split(line.removeprefix("Shell command: "))
            stops = [index for index, word in enumerate(words) if word in (">", "2>", "<<<")]
            read = words[words.index("<<<") + 1] if "<<<" in words else ""
            found.append(Job(module.rpartition(".")[2], tuple(words[: min(stops)]), outputs, read))
    return found


# Jobs are forks of a process that has imported the libraries and computed nothing: a fork of a process with OpenMP
# threads ends at once.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        *("torch", "transformers", "tokenizers", "accelerate", "pandas", "pyarrow.parquet", "numba"),
        *("scipy.stats", "scipy.optimize", "sklearn.linear_model", "statsmodels.api", "altair", "vl_convert"),
    ]
)


def run_job(job: Job, log: Path, prepare: Callable[[], None] | None = None) -> int:
    """Run a job in a fork, after calling `prepare`; returns its exit code, or 70 if it left a traceback."""
    shutil.rmtree(REDONE, ignore_errors=True)
    child = start_job(job, log, prepare)
    child.join()
    assert child.exitcode is not None
    return child.exitcode


def start_job(job: Job, log: Path, prepare: Callable[[], None] | None = None) -> ForkServerProcess:
    """Start a job in a fork; it calls `prepare` first."""
    child = FORKS.Process(target=_run_redirected, args=(job, log, prepare))
    child.start()
    return child


def _run_redirected(job: Job, log: Path, prepare: Callable[[], None] | None) -> None:
    code = 70
    try:
        stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        sys.stdin = io.StringIO(job.standard_input)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = [job.program, *job.redirected()]
        revision.commit = lambda: json.loads(COMMIT.read_text())
        if prepare is not None:
            prepare()
        run(importlib.import_module(f"workflow_scripts.{job.program}").main)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - it is counted by the parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def without_checks() -> None:
    """Preparation of a job: switches off all checks of files."""
    for owner in (tables, folders):
        for name in ("check_stamp", "check_place", "check_folder"):
            if hasattr(owner, name):
                setattr(owner, name, lambda *given, **more: None)


def note_opened(opened: Path) -> None:
    """Preparation of a job: lists the pieces of the store that it reads."""
    original = ContentStore.get

    def noted(store: ContentStore, key: str) -> Any:
        with opened.open("a") as stream:
            print(store.path(key), file=stream)
        return original(store, key)

    ContentStore.get = noted  # type: ignore[method-assign, assignment]


def outcome(job: Job, damaged: Path, log: Path, prepare: Callable[[], None] | None = None) -> str:
    """Run a job that reads a damaged file, and classify the outcome."""
    code = run_job(job, log, prepare)
    output = log.read_text(errors="replace")
    if code == 0:
        if not is_as_before(job):
            return "silent"
        return "remade" if "damaged" in output else "without effect"
    last = output.strip().splitlines()[-1] if output.strip() else ""
    if code == 1 and last.startswith("error: ") and "Traceback" not in output:
        return "noticed" if damaged.name in last or damaged.parent.name in last else "unnamed"
    return "traceback"


def is_as_before(job: Job) -> bool:
    """Whether the outputs of a job equal those of the run, except for seconds."""
    for output in job.outputs:
        files = (
            [path for path in Path(output).rglob("*") if path.is_file()]
            if Path(output).is_dir()
            else [output]
        )
        for file in map(Path, files):
            if TIMED.search(file.as_posix()) or file.name.startswith("."):
                continue
            if not (REDONE / file).is_file() or (REDONE / file).read_bytes() != file.read_bytes():
                return False
    return True


@contextlib.contextmanager
def damaged_by(kind: str, file: Path, foreign: Path | None, chance: random.Random) -> Iterator[None]:
    """Damage a file, and restore it afterwards."""
    content = file.read_bytes()
    place = chance.randrange(len(content))
    if kind == "flipped bit":
        changed = content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]
    elif kind == "cut":
        changed = content[:place]
    elif kind == "zeroed block":
        size = min(512, len(content) - place)
        changed = content[:place] + bytes(size) + content[place + size :]
    elif kind == "appended":
        changed = content + chance.randbytes(16)
    elif kind == "emptied":
        changed = b""
    else:
        assert kind == "foreign" and foreign is not None
        changed = foreign.read_bytes()
    file.write_bytes(changed)
    try:
        yield
    finally:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def reading_jobs(jobs: list[Job], run_folder: Path, log: Path) -> dict[str, list[Job]]:
    """Every file of the run that jobs read, with those jobs; readers of the store are found by observation."""
    files = [path for path in sorted(run_folder.rglob("*")) if path.is_file() and path.stat().st_size]
    found: dict[str, list[Job]] = {}
    for path in files:
        if path.relative_to(run_folder).parts[0] in ("logs", "benchmarks", "store"):
            continue
        readers = [job for job in jobs if path.as_posix() not in job.outputs and job.reads(path.as_posix())]
        if readers:
            found[path.as_posix()] = readers
    opened = log.with_suffix(".opened")
    for job in jobs:
        if "--store" not in job.words:
            continue
        opened.write_text("")
        code = run_job(job, log, functools.partial(note_opened, opened))
        assert code == 0 and is_as_before(job), f"{job.program}: {log.read_text()}"
        for name in sorted(set(opened.read_text().split())):
            assert Path(name).is_file(), f"{job.program} computed {name} again"
            found.setdefault(name, []).append(job)
    return found


def kind_of(file: str) -> str:
    """The kind of a file, by which outcomes are counted."""
    path = Path(file)
    stage = path.parts[2] if path.parts[2] != "store" else f"store/{path.parts[3]}"
    return f"{stage}, {path.suffix.removeprefix('.') or 'piece'}"


def foreign_to(file: str, files: Sequence[str], chance: random.Random) -> Path | None:
    """Another file of the same kind with other content, if the run has one."""
    name, content = Path(file), Path(file).read_bytes()
    others = [other for other in files if other != file and kind_of(other) == kind_of(file)]
    if name.parent.joinpath("checksums.json").exists():
        others = [other for other in others if Path(other).name == name.name]
    others = [other for other in others if Path(other).read_bytes() != content]
    return Path(chance.choice(others)) if others else None


def planned_jobs(checkout: Path) -> list[Job]:
    """Every job of the quick run, from the output of a dry run."""
    command = [sys.executable, "-m", "snakemake", "report", "--dry-run", "--forceall", "--printshellcmds"]
    done = subprocess.run(
        [*command, "--cores", "1", "--configfile", "configs/quick.yaml"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    return jobs_of(done.stdout + done.stderr)


@contextlib.contextmanager
def copied_run(checkout: Path) -> Iterator[Path]:
    """A folder with a copy of the run, as the current folder."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(checkout / RUN, Path(name) / RUN)
        os.chdir(name)
        # Programs name their version in what they write, and this one may be newer than that of the run.
        COMMIT.write_text(json.dumps(read_plain_json(RUN / "probe/seed-0/manifest.json")["commit"]))
        try:
            yield Path(name)
        finally:
            os.chdir(before)


def damages(
    readers: dict[str, list[Job]],
    count: int,
    seed: int,
    log: Path,
    prepare: Callable[[], None] | None = None,
) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Counts by kind of file and outcome, and a line for every failure."""
    chance = random.Random(seed)
    counts: Counter[tuple[str, str]] = Counter()
    failures = []
    by_kind: dict[str, list[str]] = {}
    for file in readers:
        by_kind.setdefault(kind_of(file), []).append(file)
    for number in range(count):
        # Kinds take turns: there are hundreds of pieces, and one table of alignments.
        kind = sorted(by_kind)[number % len(by_kind)]
        file = chance.choice(by_kind[kind])
        foreign = foreign_to(file, by_kind[kind], chance)
        how = chance.choice(KINDS if foreign else KINDS[:-1])
        job = chance.choice(readers[file])
        with damaged_by(how, Path(file), foreign, chance):
            found = outcome(job, Path(file), log, prepare)
        counts[kind, found] += 1
        if found in FAILURES:
            lines = log.read_text(errors="replace").strip().splitlines()
            failures.append(f"{found}: {file} ({how}) read by {job.program}: {' / '.join(lines[-2:])[-400:]}")
    return counts, failures


@contextlib.contextmanager
def readers_of_copy(checkout: Path, with_slow: bool = False) -> Iterator[dict[str, list[Job]]]:
    """The files of a copy of the run with the jobs that read them, while the copy is the current folder."""
    jobs = [job for job in planned_jobs(checkout) if with_slow or job.program not in SLOW]
    with copied_run(checkout) as folder:
        yield reading_jobs(jobs, RUN, folder / LOG)


def as_table(counts: Counter[tuple[str, str]]) -> str:
    lines = [f"{'':<32}" + "".join(f"{outcome:>16}" for outcome in OUTCOMES)]
    for kind in sorted({kind for kind, _ in counts}):
        lines.append(f"{kind:<32}" + "".join(f"{counts[kind, outcome]:>16}" for outcome in OUTCOMES))
    totals = [sum(n for (_, found), n in counts.items() if found == outcome) for outcome in OUTCOMES]
    return "\n".join([*lines, f"{'all':<32}" + "".join(f"{total:>16}" for total in totals)])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkout", type=Path, default=Path(), help="where `make quick` was run")
    parser.add_argument("--count", type=int, default=500, help="damages")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--with-slow", action="store_true", help="include training jobs")
    given = parser.parse_args()
    start = time.monotonic()
    with readers_of_copy(given.checkout.resolve(), given.with_slow) as readers:
        counts, failures = damages(readers, given.count, given.seed, Path(LOG))
    print(as_table(counts))
    print(f"{sum(counts.values())} damages, seed {given.seed}, {time.monotonic() - start:.0f} s")
    for line in failures:
        print(line)
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()

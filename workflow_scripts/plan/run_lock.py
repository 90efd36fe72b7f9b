"""Allows one run at a time in a run's folder, and removes the lock of a killed run.

Snakemake's lock does not name its owner, so after a kill the user would have to run `--unlock`. Each run therefore
writes a note about its process next to its results. If that process is provably dead, on this machine, its lock is
removed. A process on another machine, in another container or on a system without /proc keeps its lock.
"""

import atexit
import contextlib
import json
import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any, Literal

from snakemake_interface_common.exceptions import WorkflowError

from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import is_unfinished, write_plain_json

MARK = "PLUMBLINE_RUN"  # in the environment of a run and of its jobs, which may outlive it
PROC = Path("/proc")

State = Literal["alive", "dead", "unknown"]


def take_run_before_execution(workflow: Any, root: str, snakemake_locks: Path) -> None:
    """Have a workflow lock its run just before its first job; not for a dry run, a summary or a job of the run itself.

    Snakemake has no hook between reading the Snakefile and its own lock, so its method is wrapped.
    """
    execute = workflow.execute

    def take_and_execute(*, executor_plugin: Any, **others: Any) -> Any:
        how, settings = executor_plugin.common_settings, workflow.execution_settings
        is_main_process = workflow.exec_mode.name == "DEFAULT" and settings.lock
        if is_main_process and not how.dryrun_exec and not how.touch_exec:
            try:
                message = take_run(root, snakemake_locks, how.local_exec)
            except UserError as refusal:
                raise WorkflowError(str(refusal)) from None
            except OSError as problem:
                raise WorkflowError(
                    f"{problem.filename}: {problem.strerror}; write elsewhere (results: in the config), "
                    "or make it possible to write there"
                ) from None
            if message:
                print(message, flush=True)
        return execute(executor_plugin=executor_plugin, **others)

    workflow.execute = take_and_execute


def take_run(root: str | Path, snakemake_locks: Path, runs_jobs_here: bool) -> str | None:
    """Note that this process makes the run at `root` until it ends. Returns a message if it removed a dead run's lock.

    It also removes the temporary files of dead runs. A UserError names the run that holds the folder.
    """
    root = Path(root)
    notes = root / "store" / "runs"
    locks = [path for path in sorted(snakemake_locks.glob("*.lock")) if _names_files_of(path, root)]
    dead, have_ended = [], True
    for note in sorted(notes.glob("*.json")):
        run = _read(note)
        state, who = state_of(run), _words(run)
        if state == "alive":
            raise UserError(
                f"{who} is using {root}: wait until it ends, or give this run another name (run: in the config)"
            )
        jobs = jobs_of(note.stem) if state == "dead" else []
        if jobs:
            raise UserError(
                f"{who} is dead, but its jobs still write to {root} (processes {', '.join(map(str, jobs))}): "
                "wait until they end, or end them"
            )
        if locks and (state == "unknown" or not run["runs_jobs_here"]):
            raise UserError(
                f"{who} may still be at work on {root}: check that host, and if nothing runs, call `snakemake --unlock`"
            )
        if state == "dead":
            dead.append(who)
            have_ended &= run["runs_jobs_here"]
        # Without a lock, a run that cannot be inspected has ended, or was unlocked by hand.
        note.unlink(missing_ok=True)
    if dead:
        for lock in locks:
            lock.unlink(missing_ok=True)
        if have_ended:  # jobs on a cluster may live on
            remove_unfinished(root)
    _note_this_process(notes, runs_jobs_here)
    if not (dead and locks):
        return None
    return f"{dead[-1]} was killed; its lock is removed, and this run continues where it stopped"


def remove_unfinished(root: Path) -> None:
    """Delete the temporary files and folders of killed jobs; only when no job of the run is left."""
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            if is_unfinished(name):
                path = Path(folder, name)
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def state_of(run: dict[str, Any]) -> State:
    """Whether the process of a note still runs. Its start time rules out a later process with the same number."""
    here = this_machine()
    if not here or not run:
        return "unknown"
    if run["boot"] != here["boot"]:
        is_same_machine = run["machine"] == here["machine"] and run["machine"].strip(":")
        return "dead" if is_same_machine else "unknown"
    if run["process_namespace"] != here["process_namespace"]:
        return "unknown"
    return "alive" if _start_of(run["process"]) == run["start"] else "dead"


def this_machine() -> dict[str, str]:
    """Identifies the machine, its boot and its container; empty on a system that does not provide this."""
    try:
        return {
            "machine": f"{socket.gethostname()}:{Path('/etc/machine-id').read_text(encoding='utf-8').strip()}",
            "boot": (PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip(),
            "process_namespace": str((PROC / "self/ns/pid").readlink()),
        }
    except OSError:
        return {}


def jobs_of(name: str) -> list[int]:
    """Processes that a run started, found by the mark in their environment."""
    found = []
    for environment in PROC.glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or belongs to another user
            if f"{MARK}={name}".encode() in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return sorted(found)


def _read(note: Path) -> dict[str, Any]:
    """A note; empty if a power cut has emptied it or its run has just ended."""
    try:
        return dict(json.loads(note.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def _note_this_process(notes: Path, runs_jobs_here: bool) -> None:
    process, here = os.getpid(), this_machine()
    if not here:
        return
    name = f"{socket.gethostname()}-{process}-{_start_of(process)}"
    note = notes / f"{name}.json"
    write_plain_json(
        {
            **here,
            "host": socket.gethostname(),
            "process": process,
            "start": _start_of(process),
            "since": time.strftime("%Y-%m-%d %H:%M"),
            "runs_jobs_here": runs_jobs_here,
        },
        note,
    )
    os.environ[MARK] = name

    def forget() -> None:
        if os.getpid() == process:  # not in a fork
            note.unlink(missing_ok=True)

    atexit.register(forget)


def _start_of(process: int) -> int | None:
    """Clock ticks from the machine's boot to a process's start. Changes of the system clock do not affect them."""
    try:
        stat = (PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else int(fields[18])


def _names_files_of(lock: Path, root: Path) -> bool:
    with lock.open(encoding="utf-8", errors="surrogateescape") as lines:
        return any(line.startswith(f"{root}/") for line in lines)


def _words(run: dict[str, Any]) -> str:
    if not run:
        return "another run"
    return f"another run (process {run['process']} on {run['host']}, since {run['since']})"

"""Run the workflow for a command: write its config, show progress in one line, report errors in one sentence."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.commands.options import Shared
from workflow_scripts.commands.progress import ProgressLine
from workflow_scripts.errors import UserError
from workflow_scripts.workflow_files import snakefile

CONFIG = "config.yaml"
LOG = "snakemake.log"
RUN = "work"
INPUTS = "inputs"  # folder for texts that were given in memory
_HEAD = (
    "# Written by `plumbline {command}`. After an edit, run it in this folder:\n"
    "# plumbline run answers --cores 2 --configfile config.yaml\n"
)
_OURS = "# Written by `plumbline "


def prepared_folder(output: Path) -> Path:
    """The folder of an answer; refuse a folder with other files."""
    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output} is a file; name a folder")
    if output.is_dir() and {path.name for path in output.iterdir()} - {INPUTS}:
        config = output / CONFIG
        if not config.is_file() or not config.read_text(encoding="utf-8").startswith(_OURS):
            raise UserError(f"--output {output} has other files; name a new folder")
    return output


def run_workflow(command: str, config: dict[str, Any], shared: Shared) -> None:
    """Write the config and make its answers; a UserError has the message of the failed job or config check."""
    output = shared.output
    output.mkdir(parents=True, exist_ok=True)
    text = _HEAD.format(command=command) + yaml.safe_dump(
        config, sort_keys=False, allow_unicode=True, width=100
    )
    (output / CONFIG).write_text(text, encoding="utf-8")
    cores = shared.cores or len(os.sched_getaffinity(0))
    started = time.monotonic()
    call = [sys.executable, "-m", "snakemake", "answers", "--snakefile", str(snakefile())]
    call += [
        "--directory",
        str(output),
        "--configfile",
        str((output / CONFIG).resolve()),
        "--cores",
        str(cores),
        *shared.for_snakemake,
    ]
    lines = []
    with (
        ProgressLine(output / RUN / "logs") as progress,
        subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            progress.read(line)
        code = process.wait()
    (output / LOG).write_text("".join(lines), encoding="utf-8")
    if code:
        raise UserError(_mistake(lines) or f"the run failed; read {output / LOG} for the reason")
    print(f"{time.monotonic() - started:.0f} seconds", file=sys.stderr)


def answers_of(output: Path, question: str) -> Path:
    """The folder in which the workflow puts the answer to a question."""
    return output / RUN / "answers" / question


def take(output: Path, question: str, places: Mapping[str, Path]) -> None:
    """Copy the files of an answer to the user's output folder."""
    for name, place in places.items():
        shutil.copyfile(answers_of(output, question) / name, place)


def _mistake(lines: Sequence[str]) -> str:
    """The error of the failed program, or of the config check."""
    for pattern in (r"\s*error: (.+)", r"\s*config: (.+)"):
        found = [match[1].strip() for line in lines if (match := re.match(pattern, line))]
        if found:
            return found[0]
    return ""

"""After a failed run: why jobs were killed, and the partial report."""

import argparse
import itertools
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.errors import MORE_MEMORY
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.stages.files import one_line
from workflow_scripts.plan.surroundings import as_overlay

# The shell's status of a program that the kernel killed, or that aborted because it got no memory.
_KILLED = re.compile(r"python -m workflow_scripts\.(\w+) .*returned non-zero exit status (?:134|137)\.")


def killed_jobs(snakemake_log: str) -> str:
    """A sentence on the jobs that something killed; empty if there are none. They leave no message of their own."""
    rules = list(dict.fromkeys(_KILLED.findall(snakemake_log)))
    if not rules:
        return ""
    return f"error: {', '.join(rules)}: killed by the system, probably because memory ran out; {MORE_MEMORY}"


def command_for_what_exists(plan: RunPlan, snakefile: str, given: Sequence[str]) -> str:
    """The shell command that renders a partial page from what a failed run left, with the same config.

    `given` are the arguments of the failed run. A run on a cluster also renders its page on the cluster.
    """
    overlay = Path(plan.root) / "store" / "only_existing.json"
    overlay.parent.mkdir(parents=True, exist_ok=True)
    overlay.write_text(one_line(as_overlay({**plan.config, "only_existing": True})), encoding="utf-8")
    # The failed run still holds the lock of the working directory.
    command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--nolock"]
    return shlex.join([*command, *execution_options(given), "--configfile", str(overlay), "--", "report"])


def execution_options(given: Sequence[str]) -> list[str]:
    """The arguments of a snakemake call that set where and how many jobs run."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for names in (
        ("--profile",),
        ("--workflow-profile",),
        ("--executor", "-e"),
        ("--jobs", "-j"),
        ("--cores", "-c"),
    ):
        parser.add_argument(*names, nargs="?")
    # Otherwise jobs that the user kept from running again would run for this page.
    parser.add_argument("--rerun-triggers", nargs="+")
    chosen, others = parser.parse_known_args(given)
    options = [
        word
        for name, value in vars(chosen).items()
        if value is not None
        for word in (f"--{name.replace('_', '-')}", *([value] if isinstance(value, str) else value))
    ]
    for option, following in itertools.zip_longest(others, others[1:], fillvalue="-"):
        if option.startswith("--slurm-"):
            options += [option] if following.startswith("-") else [option, following]
    return options

"""Jobs that wait for a GPU of this machine wait in Snakemake's queue, not in a process that keeps a core busy.

A job that runs a model takes a GPU if there is one, also if it requests none (`device: auto`), and waits for its lease
(`training/devices.py`). Snakemake does not know, and would start as many of them as there are cores. So each of them
needs the resource `card`, and a local run has as many cards as the machine has GPUs. Leases remain, for other runs on
the same machine.
"""

import os
import shutil
import subprocess
from typing import Any


def wait_for_cards_without_cores(workflow: Any) -> None:
    """Have a workflow count this machine's GPUs just before a local execution; without GPUs there is no limit."""
    execute = workflow.execute

    def count_and_execute(*, executor_plugin: Any, **others: Any) -> Any:
        if executor_plugin.common_settings.local_exec and "card" not in workflow.global_resources:
            cards = count_cards()
            if cards:
                workflow.register_resource("card", cards)
        return execute(executor_plugin=executor_plugin, **others)

    workflow.execute = count_and_execute


def count_cards() -> int:
    """GPUs that processes of this shell see. Their driver's program is asked, because importing torch takes seconds."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return sum(bool(device.strip()) for device in named.split(","))
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if not listed.returncode else 0

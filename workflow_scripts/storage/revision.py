"""The version of the code that made a result."""

import subprocess
from pathlib import Path

from workflow_scripts.workflow_files import IS_CHECKOUT


def commit() -> str | None:
    """The commit of the code, marked if the tree differs from it; None outside a checkout."""
    if not IS_CHECKOUT:  # an installed package may be inside the checkout of another project
        return None
    command = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=12",
        "--exclude=*",
    ]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None

"""Prepares a run's environment: puts the user's config over the default one, and lets jobs find their programs."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from workflow_scripts.workflow_files import IMPORTABLE, ROOT


def over_default_run(config: dict[str, Any]) -> dict[str, Any]:
    """The config laid over config.yaml.

    Not done with the directive `configfile:`: it looks in the working directory, and Snakemake ignores it when
    another workflow uses this one as a module with its own config.
    """
    laid_over: dict[str, Any] = load_configfile(str(ROOT / "config.yaml"))
    update_config(laid_over, config)
    return laid_over


def as_overlay(config: dict[str, Any]) -> dict[str, Any]:
    """A config that gives the same config when laid over the default run: null for keys that only the default has."""
    return _with_nulls(config, load_configfile(str(ROOT / "config.yaml")))


def _with_nulls(config: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    nested = {
        key: _with_nulls(value, default[key])
        for key, value in config.items()
        if isinstance(value, dict) and isinstance(default.get(key), dict)
    }
    return {**dict.fromkeys(default), **config, **nested}


def let_jobs_find_programs() -> None:
    """Let programs import the package, and run them with Snakemake's Python unless a rule's environment has its own."""
    other = Path("workflow_scripts", "__init__.py")
    if other.is_file() and not other.samefile(IMPORTABLE.parent / "__init__.py"):
        raise WorkflowError(
            f"the working directory {Path.cwd()} has another copy of Plumbline's programs, and jobs would run "
            "that copy; use the Snakefile of that copy, or another working directory"
        )
    beside_python = str(Path(sys.executable).parent)
    if shutil.which("python") != str(Path(beside_python, "python")):
        _put_first("PATH", beside_python)
    _put_first("PYTHONPATH", str(IMPORTABLE))


def set_hub_cache(folder: str | None) -> None:
    """Set the folder in which programs started by this process cache downloads."""
    if folder:
        os.environ["HF_HOME"] = os.path.expandvars(folder)


def prefix_in_conda() -> str:
    """The start of every command under `--sdm conda`, because Snakemake then removes PYTHONPATH from jobs."""
    folder = shlex.quote(str(IMPORTABLE)).replace("{", "{{").replace("}", "}}")
    return f"set -euo pipefail; export PYTHONPATH={folder}; "


def _put_first(variable: str, folder: str) -> None:
    folders = os.environ.get(variable, "").split(os.pathsep)
    os.environ[variable] = os.pathsep.join([folder, *(one for one in folders if one not in ("", folder))])

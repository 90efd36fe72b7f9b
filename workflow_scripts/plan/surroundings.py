"""What a run takes from where it runs: the default config below the user's, and how its jobs find their programs."""

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

    Not by the directive `configfile:`, which looks in the working directory, and is passed over where another workflow
    uses this one as a module with a config of its own.
    """
    laid_over: dict[str, Any] = load_configfile(str(ROOT / "config.yaml"))
    update_config(laid_over, config)
    return laid_over


def as_overlay(config: dict[str, Any]) -> dict[str, Any]:
    """A whole config that is itself again once it is laid over the default run: null for keys that only that has."""
    return _with_nulls(config, load_configfile(str(ROOT / "config.yaml")))


def _with_nulls(config: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    nested = {
        key: _with_nulls(value, default[key])
        for key, value in config.items()
        if isinstance(value, dict) and isinstance(default.get(key), dict)
    }
    return {**dict.fromkeys(default), **config, **nested}


def let_jobs_find_programs() -> None:
    """Programs run with the Python of Snakemake, unless a rule's environment brings one, and can import the package."""
    other = Path("workflow_scripts", "__init__.py")
    if other.is_file() and not other.samefile(IMPORTABLE.parent / "__init__.py"):
        raise WorkflowError(
            f"the working directory {Path.cwd()} has another copy of Plumbline's programs, which jobs would run "
            "instead of those of this Snakefile; use the Snakefile beside them, or another working directory"
        )
    beside_python = str(Path(sys.executable).parent)
    if shutil.which("python") != str(Path(beside_python, "python")):
        _put_first("PATH", beside_python)
    _put_first("PYTHONPATH", str(IMPORTABLE))


def set_hub_cache(folder: str | None) -> None:
    """Where the programs that this process starts keep what they download."""
    if folder:
        os.environ["HF_HOME"] = os.path.expandvars(folder)


def prefix_in_conda() -> str:
    """What begins every command under `--sdm conda`, where Snakemake takes PYTHONPATH from the environment of jobs."""
    folder = shlex.quote(str(IMPORTABLE)).replace("{", "{{").replace("}", "}}")
    return f"set -euo pipefail; export PYTHONPATH={folder}; "


def _put_first(variable: str, folder: str) -> None:
    folders = os.environ.get(variable, "").split(os.pathsep)
    os.environ[variable] = os.pathsep.join([folder, *(one for one in folders if one not in ("", folder))])

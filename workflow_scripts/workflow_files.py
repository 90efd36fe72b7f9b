"""Finds the files of the workflow: next to the package in a checkout, inside the package after installation."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
# setup.py copies the workflow there when it builds the package.
_COPY = _PACKAGE / "workflow"

IS_CHECKOUT = not _COPY.is_dir()
ROOT = _PACKAGE.parent if IS_CHECKOUT else _COPY
IMPORTABLE = _PACKAGE / "importable"


def snakefile() -> Path:
    """The Snakefile, for `snakemake --snakefile` or the `snakefile:` of a module."""
    return ROOT / "Snakefile"


def workflow_file(name: str) -> str:
    """A file of the workflow as a rule's input.

    Below the working directory the path is relative. Snakemake compares the names of a job's inputs, so absolute paths
    would make jobs run again after a checkout is moved.
    """
    path = ROOT / name
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)

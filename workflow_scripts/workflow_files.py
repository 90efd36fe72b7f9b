"""Where the files of the workflow lie: beside the package in a checkout, inside it once it is installed."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
# setup.py puts a copy of the workflow there when it builds the package.
_COPY = _PACKAGE / "workflow"

IS_CHECKOUT = not _COPY.is_dir()
ROOT = _PACKAGE.parent if IS_CHECKOUT else _COPY
IMPORTABLE = _PACKAGE / "importable"


def snakefile() -> Path:
    """The Snakefile, for `snakemake --snakefile` or the `snakefile:` of a module."""
    return ROOT / "Snakefile"


def workflow_file(name: str) -> str:
    """A file of the workflow as a rule's input.

    Below the working directory the path is relative, so that nothing runs again in a checkout that has been moved:
    Snakemake compares the names of a job's inputs.
    """
    path = ROOT / name
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)

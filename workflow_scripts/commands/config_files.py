"""What Snakemake would answer with a traceback, because it reads the files of `--configfile` before any workflow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.errors import UserError

_OPTIONS = ("--configfile", "--configfiles")


def check_config_files(arguments: Sequence[str]) -> None:
    """Refuse a config file that is missing, is no UTF-8, is no YAML, or holds an anchor that names itself."""
    for path in _named(arguments):
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as problem:
            raise UserError(f"--configfile {path} cannot be read: {problem.strerror}") from None
        except UnicodeDecodeError as problem:
            raise UserError(
                f"--configfile {path}: byte {problem.start + 1} is no UTF-8; save the file as UTF-8"
            ) from None
        except yaml.YAMLError as problem:
            where = getattr(problem, "problem_mark", None)
            line = f", line {where.line + 1}" if where else ""
            raise UserError(f"--configfile {path}{line}: {getattr(problem, 'problem', problem)}") from None
        key = _key_of_loop(document)
        if key is not None:
            raise UserError(f"--configfile {path}: what {key} names holds itself; write its value out")


def _named(arguments: Sequence[str]) -> list[Path]:
    """The files that follow `--configfile`, as Snakemake's own parser takes them."""
    paths, is_file = [], False
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if argument.startswith("-"):
            is_file = option in _OPTIONS
            if is_file and equals:
                paths.append(Path(value))
        elif is_file:
            paths.append(Path(argument))
    return paths


def _key_of_loop(value: Any, above: tuple[int, ...] = (), key: str = "the file") -> str | None:
    """The key at which a value comes round to one that holds it; None where none does."""
    if not isinstance(value, dict | list):
        return None
    if id(value) in above:
        return key
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found = (_key_of_loop(part, (*above, id(value)), str(name)) for name, part in pairs)
    return next((name for name in found if name is not None), None)

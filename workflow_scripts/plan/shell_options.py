"""Small helpers with which rules put paths and names into a command line."""

from collections.abc import Iterable
from pathlib import Path


def options(name: str, keys: Iterable[str], values: Iterable[str]) -> list[str]:
    """`name key=value` for each pair of a key and a value."""
    return [word for key, value in zip(keys, values, strict=True) for word in (name, f"{key}={value}")]


def folder_of(path: str) -> str:
    return str(Path(path).parent)


def folder_names(path: str, count: int) -> str:
    """The last `count` folders above a file, joined by slashes: `<recipe>/<train_set>` of a table of losses."""
    return "/".join(Path(path).parts[-1 - count : -1])


def one_of(names: Iterable[str]) -> str:
    """A wildcard constraint that matches only these names, and nothing if there are none."""
    return "|".join(names) or "(?!)"


def experiment_of(path: str) -> str:
    """The recorded experiment that a file of losses or shares belongs to."""
    return Path(path).name.partition(".")[0]

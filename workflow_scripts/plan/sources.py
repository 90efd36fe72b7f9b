"""What a corpus' config entry tells before anything is read: its files, its largest size, what it shares."""

import gzip
import hashlib
import os
import shlex
import sys
import time
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.errors import UserError
from workflow_scripts.workflow_files import ROOT

if TYPE_CHECKING:
    from workflow_scripts.outside.tables import Recorded


# Kinds of environment text that are read from the same files; each of the others has files of its own.
_OF_MODULES = ("docstrings", "code", "pairs_docstring_code", "pairs_doctest")
# Kinds that do not depend on the domain of a package.
_OF_NO_DOMAIN = ("licences", "metadata")


# Compressed files up to this size are read to the end when the config is checked; for larger ones a bound is enough.
_DECOMPRESSED = 1 << 20
_COMPRESSION = 3.0
_CLOCKS_DIFFER = 60  # seconds, between machines that share a disk
_MOST_DEFLATED = 1032  # bytes that deflate makes of one


def in_folder(paths: str | list[str], folder: str | None) -> list[str]:
    """Paths of a `files` corpus, relative ones below the run's `corpora_folder`."""
    named = [paths] if isinstance(paths, str) else paths
    if folder is None:
        return list(named)
    expanded = Path(os.path.expandvars(folder)).expanduser()
    if "$" in str(expanded):
        raise UserError(
            f"corpora_folder = {folder}: it names an environment variable that is not set; set it, or write the "
            "folder of your corpora there"
        )
    if not expanded.is_dir():
        raise UserError(f"corpora_folder = {folder}: there is no folder {expanded}")
    return [str(expanded / path) for path in named]


def input_files(spec: dict[str, Any]) -> list[str]:
    """Files that a corpus is read from; a UserError names a path that matches none."""
    if spec["source"] != "files":
        return []
    from workflow_scripts.corpora.sources.files import matching_files

    return [str(path) for path in matching_files(spec)]


def sizes_of(files: Iterable[str]) -> str:
    """A parameter of the rules that read a user's files, which then run again when a file's size changes.

    Snakemake itself sees only that a file became newer. A file that another one replaced, with an older date, would
    otherwise leave old results. (A parameter counts only if it is not computed from `input`.)
    """
    sizes = [Path(path).stat().st_size if Path(path).exists() else None for path in files]
    return hashlib.sha256(str(sizes).encode()).hexdigest()[:16]


def refuse_future_dates(files: Iterable[str]) -> None:
    """Report a file from the future now: Snakemake would do so after a job has read it, and discard the output."""
    latest = time.time() + _CLOCKS_DIFFER
    for path in files:
        if Path(path).stat().st_mtime > latest:
            raise UserError(
                f"{path} is dated in the future; check the clock, then call: touch {shlex.quote(path)}"
            )


def largest_bytes(spec: dict[str, Any]) -> int | None:
    """An upper bound on a corpus' bytes of text; None where only reading the corpus would give one.

    Text is never larger than its uncompressed file. Parquet files have no such bound: they compress too strongly.
    """
    if spec["source"] == "environment" or "limit_bytes" in spec:
        # The last file may exceed the limit by its own size, which is unknown, so the largest size of a file is added.
        return None if "limit_bytes" not in spec else int(spec["limit_bytes"]) + 500_000
    if spec["source"] == "files" and not any(path.endswith(".parquet") for path in input_files(spec)):
        return sum(_uncompressed(Path(path)) for path in input_files(spec)) * (
            2 if "template" in str(spec) else 1
        )
    return None


def expected_bytes(spec: dict[str, Any]) -> float:
    """Bytes of text in the files of a corpus, if they compress as prose does."""
    sizes = ((path, Path(path).stat().st_size) for path in input_files(spec))
    return sum(size * (_COMPRESSION if path.endswith((".gz", ".parquet")) else 1) for path, size in sizes)


def _uncompressed(path: Path) -> int:
    compressed = path.stat().st_size
    if path.suffix != ".gz":
        return compressed
    if compressed > _DECOMPRESSED:
        return compressed * _MOST_DEFLATED
    try:
        with gzip.open(path) as stream:
            return stream.seek(0, 2)
    except (EOFError, OSError, zlib.error):
        return sys.maxsize  # the job that reads it says what is wrong


def shared_text(one: dict[str, Any], other: dict[str, Any]) -> str:
    """What two sources share that could give them the same text, in words; empty if nothing."""
    if one["source"] != other["source"]:
        return ""
    if one["source"] == "environment":
        same_files = one["kind"] == other["kind"] or {one["kind"], other["kind"]} <= set(_OF_MODULES)
        return shared_packages(one, other) if same_files else ""
    if one["source"] == "files":
        if _other_rows(one, other):
            return ""
        return _listed("the file", set(input_files(one)) & set(input_files(other)))
    if one["source"] == "hub":
        same = all(one.get(key) == other.get(key) for key in ("path", "name", "split"))
        same = same and not _other_rows(one, other)
        return f"the data set {one['path']}" if same else ""
    return ""


def _other_rows(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two corpora ask for different values of the same column, such as split: train and split: test."""
    where, elsewhere = one.get("where", {}), other.get("where", {})
    return any(_values(where[c]).isdisjoint(_values(elsewhere[c])) for c in set(where) & set(elsewhere))


def _values(allowed: Any) -> set[str]:
    return {str(value) for value in (allowed if isinstance(allowed, list) else [allowed])}


def shared_domain(one: dict[str, Any], other: dict[str, Any]) -> str:
    """What text or package two sources share, in words."""
    kinds = {one.get("kind"), other.get("kind")}
    if one["source"] == other["source"] == "environment" and not kinds & set(_OF_NO_DOMAIN):
        return shared_packages(one, other)
    return shared_text(one, other)


def shared_packages(one: dict[str, Any], other: dict[str, Any]) -> str:
    return _listed("the package", set(packages_of(one)) & set(packages_of(other)))


def packages_of(spec: dict[str, Any]) -> list[str]:
    """Packages of an environment corpus, by their import names."""
    packages = spec.get("packages", [])
    return [packages] if isinstance(packages, str) else list(packages)


def _listed(what: str, names: set[str]) -> str:
    return f"{what} {', '.join(sorted(names))}" if names else ""


def recorded_tables(experiment: Mapping[str, Any]) -> dict[str, str]:
    """Files of an experiment whose losses were measured elsewhere; shipped files are found from any folder."""
    found = {}
    for key in ("losses", "mixtures"):
        named = Path(os.path.expandvars(experiment[key])).expanduser()
        shipped = ROOT / named
        if not named.is_file() and not shipped.is_file():
            raise UserError(f"{key} = {experiment[key]}: there is no such file")
        found[key] = str(named if named.is_file() else shipped)
    return found


def read_recorded(experiment: Mapping[str, Any]) -> "Recorded":
    """Losses and mixtures of such an experiment; a UserError says what is wrong in them."""
    from workflow_scripts.outside.tables import read

    files = recorded_tables(experiment)
    return read(
        files["losses"], files["mixtures"], experiment["parts"], experiment["eval_sets"], experiment["model"]
    )

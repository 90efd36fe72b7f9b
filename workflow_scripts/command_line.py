"""Shared by all programs of the package: logging, one-line errors for mistakes, and thread counts."""

import argparse
import ctypes
import errno
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from workflow_scripts.errors import MORE_MEMORY, UserError

# From glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_KEPT_BYTES = 2**30

_AGAIN = "and run the same command again: finished work is kept"
# Errors of the machine, and what its owner can do about them; any other OSError is a defect of the program.
_REMEDIES = {
    errno.ENOSPC: f"free space on the disk, {_AGAIN}",
    errno.EDQUOT: f"free space in your quota, {_AGAIN}",
    errno.EROFS: f"write elsewhere (results: in the config), {_AGAIN}",
    errno.EACCES: f"get permission to read and write there, {_AGAIN}",
    errno.EIO: f"check the disk, which has an error, {_AGAIN}",
}
# Libraries report a lack of memory in different ways.
_LACK_OF_MEMORY = re.compile(
    r"can't allocate memory|out of memory|bad_alloc|Cannot allocate memory", re.IGNORECASE
)


def parser_for(description: str | None) -> argparse.ArgumentParser:
    """An argument parser whose help is the module's docstring."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def add_metric_options(parser: argparse.ArgumentParser) -> None:
    """Options of the programs that run one metric on batches; `metrics.opening` reads them."""
    add_metric_name_options(parser)
    parser.add_argument("--batches", type=int, required=True)
    parser.add_argument("--rows-per-batch", type=int, required=True)
    parser.add_argument(
        "--fewer-rows", action="store_true", help="make batches smaller if a set has too few rows"
    )


def add_metric_name_options(parser: argparse.ArgumentParser) -> None:
    """Options that name a metric and its inputs."""
    parser.add_argument("--metric", required=True, help="name of a module of workflow_scripts.metrics")
    parser.add_argument("--tokenizer", help="folder; for metrics of texts and of vocabulary")
    parser.add_argument("--model", type=Path, help="folder of the probe, for metrics that use it")
    parser.add_argument(
        "--encoder", help="folder or Hub name of a sentence encoder, for metrics that use one"
    )
    parser.add_argument("--seed", type=int, required=True, help="seed of the draw of batches")
    parser.add_argument("--store", required=True, type=Path, help="folder of finished pieces")
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto", help="of a metric that runs a model"
    )
    parser.add_argument("--threads", type=int, default=1)


def named_paths(option: str, values: Sequence[str]) -> dict[str, Path]:
    """NAME=PATH, each name once."""
    named: dict[str, Path] = {}
    for value in values:
        name, separator, path = value.partition("=")
        if not (name and separator and path):
            raise UserError(f"--{option} {value}: write it as NAME=PATH")
        if name in named:
            raise UserError(f"--{option} names {name} twice")
        named[name] = Path(path)
    return named


def grouped_paths(option: str, values: Sequence[str]) -> dict[str, list[Path]]:
    """NAME=PATH; a name may be repeated for several files."""
    grouped: dict[str, list[Path]] = {}
    for value in values:
        ((name, path),) = named_paths(option, [value]).items()
        grouped.setdefault(name, []).append(path)
    return grouped


def named_numbers(option: str, values: Sequence[str]) -> dict[str, float]:
    """NAME=NUMBER, repeated."""
    found = {}
    for value in values:
        name, _, amount = value.rpartition("=")
        try:
            found[name] = float(amount)
        except ValueError:
            name = ""
        if not name:
            raise UserError(f"--{option} {value}: write it as NAME=NUMBER")
    return found


def set_threads(count: int) -> None:
    """Fix the threads of every numerical library: sums then have the same order, whatever --cores is.

    Call this before torch is imported, if possible; if torch is already imported, its threads are set directly.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(count)
    if "numba" not in sys.modules:  # it refuses another number after its threads have started
        os.environ["NUMBA_NUM_THREADS"] = str(count)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def keep_freed_memory() -> None:
    """Make glibc's allocator keep freed memory instead of returning it to the kernel.

    A training step frees and allocates the same large arrays again. By default each of them is mapped and unmapped,
    and the kernel clears its pages every time: a fifth of the time of a small model on a CPU. Other C libraries have
    no such setting.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            set_option(option, _KEPT_BYTES)


def run(main: Callable[[Sequence[str] | None], None]) -> None:
    """Run a program's `main`: log to standard error, and exit with code 1 and one line on a UserError."""
    keep_freed_memory()
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    try:
        main(None)
    except UserError as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        raise SystemExit(1) from None
    except (MemoryError, RuntimeError, OSError) as problem:
        if isinstance(problem, MemoryError) or _LACK_OF_MEMORY.search(str(problem)):
            print(f"error: memory ran out in {Path(sys.argv[0]).stem}; {MORE_MEMORY}", file=sys.stderr)
            raise SystemExit(1) from None
        if not isinstance(problem, OSError) or problem.errno not in _REMEDIES:
            raise
        where = f"{problem.filename}: " if problem.filename else ""
        print(f"error: {where}{os.strerror(problem.errno)}; {_REMEDIES[problem.errno]}", file=sys.stderr)
        raise SystemExit(1) from None

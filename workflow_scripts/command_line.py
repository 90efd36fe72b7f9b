"""What every program of the package does alike: logging, one-line errors for mistakes, and thread counts."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence


class UserError(Exception):
    """A mistake in the config, the data or the machine's set-up: told in one line, without a traceback."""


def parser_for(description: str | None) -> argparse.ArgumentParser:
    """An argument parser whose help is the module's docstring."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def set_threads(count: int) -> None:
    """Fix the threads of every numerical library, so that sums are made in one order whatever --cores is.

    Called before torch is imported where possible; torch is told directly when it is there already.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(count)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def run(main: Callable[[Sequence[str] | None], None]) -> None:
    """Run a program's `main`: log to standard error, and end with exit code 1 and one line on a UserError."""
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

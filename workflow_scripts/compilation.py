"""Loops over bytes and numbers that are compiled to machine code."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function compiled by numba, cached on disk if a folder can be written; other threads run meanwhile."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba can write neither beside the module nor below the home folder
        return numba.njit(nogil=True)(function)

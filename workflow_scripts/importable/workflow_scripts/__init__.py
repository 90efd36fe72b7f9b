"""Plumbline's package by its own name: with the folder above on PYTHONPATH a job can import it, and nothing else.

In the folder of the package itself lie the tests and benchmarks of a checkout, too, or all that is installed beside it,
which must not come before the packages of a conda environment.
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2])]

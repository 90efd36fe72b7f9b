"""Plumbline's package by its own name: with the folder above on PYTHONPATH a job can import it, and nothing else.

The folder of the package itself also contains the tests and benchmarks of a checkout, or other installed packages.
These must not come before the packages of a conda environment.
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2])]

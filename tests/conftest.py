"""What tests of several folders use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test data beside the project; the test that asks for it is skipped where there is none."""
    folder = os.environ.get("PLUMBLINE_SHARED")
    if not folder:
        pytest.skip("PLUMBLINE_SHARED is not set")
    return Path(folder)

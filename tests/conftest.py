"""What tests of several folders use."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

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

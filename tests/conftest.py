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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in several processes, those of a file share one; those that run the workflow, which share a
    finished run, are one group, and begin first because they take longest."""
    whole_runs = ROOT / "tests" / "rules"
    items.sort(key=lambda item: whole_runs not in item.path.parents)
    for item in items:
        group = whole_runs if whole_runs in item.path.parents else item.path
        item.add_marker(pytest.mark.xdist_group(group.relative_to(ROOT).as_posix()))

"""What tests of several folders use."""

import os
from pathlib import Path
from typing import Any

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


WHOLE_RUNS = "tests/rules/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that run the workflow begin first, because they take longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(WHOLE_RUNS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where tests run in several processes, those of a file share one, and so do all that share a finished run.

    Marks (`xdist_group`) do not serve: pytest-xdist 3.8 writes them into names that pytest 9.2 no longer reads.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFinishedRun(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return WHOLE_RUNS if nodeid.startswith(WHOLE_RUNS) else nodeid.partition("::")[0]

    return ByFinishedRun(config, log)

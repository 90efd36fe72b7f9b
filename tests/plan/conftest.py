import copy

import pytest
import yaml


@pytest.fixture(scope="session")
def _default(root):
    return yaml.safe_load((root / "config.yaml").read_text())


@pytest.fixture
def config(_default):
    """The default config as a user writes it, for a test to change."""
    return copy.deepcopy(_default)

"""The pins: one lock file, and conda environments that say the same."""

import re
import subprocess
import tomllib

import pytest
import yaml


def pins(lines):
    return dict(
        re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)", line.strip()).groups() for line in lines if line.strip()
    )


@pytest.fixture(scope="module")
def lock(root):
    return pins((root / "requirements.lock").read_text().splitlines())


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_conda_environments_equal_the_lock_file(root, lock, name):
    environment = yaml.safe_load((root / "envs" / f"{name}.yaml").read_text())
    (pip,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    assert pins(pip).items() <= lock.items()
    runtime = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    named = {re.split(r"[\[<>=]", requirement)[0].lower() for requirement in runtime}
    assert named <= {package.lower() for package in pins(pip)}


def test_the_lock_admits_what_the_project_asks_for(root, lock):
    from packaging.requirements import Requirement

    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    locked = {name.lower(): version for name, version in lock.items()}
    for text in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(locked[requirement.name.lower()]), text


def test_an_interrupted_set_up_is_made_anew_and_a_finished_one_left_alone(root, tmp_path):
    """With a stand-in for pip's work: an empty lock file installs nothing."""
    (tmp_path / "requirements.lock").write_text("")
    script = str(root / "envs" / "set_up.sh")

    def set_up():
        return subprocess.run(
            ["sh", script, "venv"], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    assert "setting up" in set_up()
    assert set_up() == ""
    (tmp_path / "venv" / "requirements.lock").unlink()  # as after an interruption
    assert "setting up" in set_up()
    (tmp_path / "requirements.lock").write_text("# other pins\n")
    assert "setting up" in set_up()

"""The pins: lock files with hashes, and a conda environment, an image and a list of licences that say the same."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines):
    """Packages and versions; hashes are on lines of their own."""
    found = [re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)( \\)?", line.strip()) for line in lines if "==" in line]
    return {normal(match[1]): match[2] for match in found}


@pytest.fixture(scope="module")
def lock(root):
    text = (root / "requirements.lock").read_text() + (root / "envs" / "torch.lock").read_text()
    return pins(text.splitlines())


def installed_for(requirements):
    """Packages that the requirements lead to in this environment, however far."""
    waiting, seen = [Requirement(text) for text in requirements], {}
    while waiting:
        wanted = waiting.pop()
        known = seen.setdefault(normal(wanted.name), set())
        extras = {"", *wanted.extras} - known
        known |= extras
        for text in importlib.metadata.requires(wanted.name) or [] if extras else []:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return set(seen)


@pytest.fixture(scope="module")
def environment(root):
    """The conda environment of every rule."""
    return yaml.safe_load((root / "envs" / "cpu.yaml").read_text())


def test_the_conda_environment_is_pinned_and_leaves_nothing_out(root, environment):
    assert set(environment) == {"name", "channels", "dependencies"}
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    *plain, last = environment["dependencies"]
    assert list(last) == ["pip"] and len(last["pip"]) == len(set(last["pip"]))
    packages = dict(re.fullmatch(r"(\w+)(?:=([\d.]+))?", text).groups() for text in plain)
    assert packages.keys() == {"python", "pip"}
    assert all(packages.values())
    runtime = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    assert installed_for(runtime) == set(pins(last["pip"]))


def test_the_image_has_the_lock_file_and_the_python_of_the_conda_environment(root, environment):
    text = (root / "envs" / "plumbline.def").read_text()
    sections = re.findall(r"^%(\w+)", text, flags=re.MULTILINE)
    assert sections == ["files", "post", "environment"]
    assert "requirements.lock /opt/requirements.lock" in text
    assert "envs/torch.lock /opt/torch.lock" in text
    assert "--no-deps --require-hashes --requirement /opt/requirements.lock" in text
    assert "pip install --no-cache-dir --requirement /opt/torch.lock" in text
    python = re.search(r"^From: python:([\d.]+)-", text, flags=re.MULTILINE)[1]
    assert f"python={python}" in environment["dependencies"]


def test_the_conda_environment_equals_the_lock_file(root, lock, environment):
    (pip,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    assert pins(pip).items() <= lock.items()
    runtime = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {normal(re.split(r"[\[<>=]", requirement)[0]) for requirement in runtime} <= set(pins(pip))


def test_the_lock_admits_what_the_project_asks_for(root, lock):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    for text in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(lock[normal(requirement.name)]), text


def test_every_package_but_torch_has_hashes(root, lock):
    text = (root / "requirements.lock").read_text()
    assert set(pins(text.splitlines())) == set(lock) - {"torch"}
    for package in re.split(r"\n(?=\S)", text.strip()):
        assert re.fullmatch(r"\S+==\S+( \\\n +--hash=sha256:[0-9a-f]{64})+", package), package[:200]


def test_the_set_up_installs_nothing_without_its_hash(root):
    text = (root / "envs" / "set_up.sh").read_text()
    installed = re.findall(r"pip install (.*)", text)
    assert installed == [
        "--quiet --no-deps --require-hashes --requirement requirements.lock",
        "--quiet --requirement envs/torch.lock",
    ]


def test_the_licences_are_those_of_the_installed_packages(root):
    printed = subprocess.run(
        [sys.executable, str(root / "envs" / "list_licences.py")], capture_output=True, text=True, check=True
    ).stdout
    assert printed == (root / "docs" / "LICENCES.md").read_text()
    assert "not stated" not in printed


def test_an_interrupted_set_up_is_made_anew_and_a_finished_one_left_alone(root, tmp_path):
    """With a stand-in for pip's work: empty lock files install nothing."""
    (tmp_path / "envs").mkdir()
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / "envs" / "torch.lock").write_text("")
    script = str(root / "envs" / "set_up.sh")

    def set_up():
        return subprocess.run(
            ["sh", script, "venv"], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    assert "setting up" in set_up()
    assert set_up() == ""
    (tmp_path / "venv" / "requirements.lock").unlink()  # as after an interruption
    assert "setting up" in set_up()
    for name in ("requirements.lock", "envs/torch.lock"):
        (tmp_path / name).write_text("# other pins\n")
        assert "setting up" in set_up()


def test_the_citation_has_the_version_of_the_package(root):
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])

"""The workflow itself, run once on configs/quick.yaml in a copy of the checkout; dry runs then ask what would rerun."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from workflow_scripts.plan.rules import RULES

# Jobs without work of their own: targets, and tables put together from other tables or from all sets.
TARGETS = {"all", "report", "corpora", "tokens", "probe", "embeddings", "alignment", "training", "analysis"}
AGGREGATES = {"compare_sets", *(name for name, rule in RULES.items() if rule.once)}
AGGREGATES -= {"make_tokenizer", "flip_switches"}


# Put on the path of a run as sitecustomize: every program of the package then leaves a list of what it imported, and
# of the network devices that it had.
RECORD_IMPORTS = """
import atexit, json, os, socket, sys, uuid
from pathlib import Path

def record():
    program = Path(sys.argv[0])
    if program.parent.name == "workflow_scripts":
        prefix = "workflow_scripts."
        modules = [name.removeprefix(prefix) for name in list(sys.modules) if name.startswith(prefix)]
        devices = [name for _, name in socket.if_nameindex()]
        found = {"name": program.stem, "arguments": sys.argv, "modules": modules, "devices": devices}
        Path(os.environ["RECORDED_IMPORTS"], f"{uuid.uuid4()}.json").write_text(json.dumps(found))

atexit.register(record)
"""


@dataclass
class Checkout:
    """A copy of the tracked files of this checkout, in which Snakemake runs."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    first_output: str = ""
    """What the first run printed."""
    imported: Path = Path()
    """Folder with what each program of the first run recorded of itself."""
    before: list[str] = field(default_factory=list)
    """Words of the command line before Snakemake's own."""

    @classmethod
    def copy_of(cls, root: Path, folder: Path) -> "Checkout":
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            text=True,
            check=True,
        )
        for name in listed.stdout.splitlines():
            if not name.startswith(("tests/", "docs/")) and (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(root / name, folder / name)
        return cls(folder)

    def snakemake(self, *arguments: str, config: dict | None = None) -> subprocess.CompletedProcess:
        """Run Snakemake on configs/quick.yaml, overlaid with `config`, in an environment that is not activated."""
        overlays = ["configs/quick.yaml"]
        if config is not None:
            overlay = self.folder / "overlay.yaml"
            overlay.write_text(yaml.safe_dump(config))
            overlays.append(str(overlay))
        not_active = [
            folder
            for folder in os.environ["PATH"].split(os.pathsep)
            if Path(folder) != Path(sys.executable).parent
        ]
        return subprocess.run(
            [
                *self.before,
                *(sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", *overlays),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": os.pathsep.join(not_active), **self.environment},
        )

    def planned(self, config: dict | None = None) -> dict[str, int]:
        """Jobs per rule that a dry run of the report plans, without the targets."""
        found = self.snakemake("report", "--dry-run", "--quiet", "rules", config=config)
        output = found.stdout + found.stderr
        assert found.returncode == 0, output
        if "Nothing to be done" in output:
            return {}
        table = output.split("Job stats:")[1].split("total")[0]
        jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)}
        return {rule: count for rule, count in jobs.items() if rule not in TARGETS}

    def beside_aggregates(self, config: dict | None = None) -> dict[str, int]:
        """Planned jobs that are no aggregates: those that compute something of their own."""
        return {rule: count for rule, count in self.planned(config).items() if rule not in AGGREGATES}


@pytest.fixture(scope="session")
def without_network() -> list[str]:
    """Words that run a command in a network of its own with no device that is up; none where that is not allowed."""
    for words in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
        if shutil.which("unshare") and not subprocess.run([*words, "true"], check=False).returncode:
            return words
    return []


@pytest.fixture(scope="session")
def finished(root, tmp_path_factory, without_network) -> Checkout:
    """A checkout in which the quick run has ended. Tests may change it only in ways that they undo."""
    checkout = Checkout.copy_of(root, tmp_path_factory.mktemp("a checkout é"))
    recorder = tmp_path_factory.mktemp("recorder")
    (recorder / "sitecustomize.py").write_text(RECORD_IMPORTS)
    checkout.imported = tmp_path_factory.mktemp("imported")
    checkout.environment = {"PYTHONPATH": str(recorder), "RECORDED_IMPORTS": str(checkout.imported)}
    checkout.before = without_network
    done = checkout.snakemake("report")
    checkout.environment, checkout.before = {}, []
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    checkout.first_output = done.stdout + done.stderr
    return checkout


@pytest.fixture(scope="session")
def make_copy(root, tmp_path_factory):
    """Make a copy of this checkout, in a folder with this in its name, in which nothing has run."""
    return lambda name: Checkout.copy_of(root, tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def copied_checkout(root, tmp_path_factory) -> Path:
    """A copy of this checkout in which nothing has run."""
    return Checkout.copy_of(root, tmp_path_factory.mktemp("copy")).folder


@pytest.fixture
def checkout(root, tmp_path) -> Checkout:
    """A checkout of the test's own, in which nothing has run."""
    return Checkout.copy_of(root, tmp_path)


@pytest.fixture(scope="session")
def quick(root) -> dict:
    """The overlay of the quick run."""
    return yaml.safe_load((root / "configs" / "quick.yaml").read_text())

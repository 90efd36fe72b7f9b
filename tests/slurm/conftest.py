"""One Slurm for all tests of this folder, and runs of the workflow on it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from one_node_slurm import GPU_MODEL, OneNodeSlurm

# What makes the profile quick enough for a test: this cluster's state is asked every few seconds.
FOR_TESTS = [
    "--workflow-profile",
    "profiles/slurm",
    "--slurm-status-command",
    "squeue",
    "--slurm-init-seconds-before-status-checks",
    "1",
    "--latency-wait",
    "5",
]

# Every rule that computes with a model asks for a GPU, in each of the three ways.
ON_GPUS = {
    "train_probe": {"gpu": 1},
    "embed_batches": {"gres": "gpu:1"},
    "measure_covariates": {"gpu": 1},
    "train_models": {"gpu": 1, "gpu_model": GPU_MODEL},
    "evaluate_models": {"gres": f"gpu:{GPU_MODEL}:1"},
    "flip_switches": {"gpu": 1},
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip these tests, with a reason that shows, unless they are asked for."""
    if os.environ.get("PLUMBLINE_SLURM"):
        return
    reason = pytest.mark.skip(reason="they start a Slurm: make test-slurm")
    for item in items:
        if item.get_closest_marker("slurm"):
            item.add_marker(reason)


@dataclass
class Running:
    """A run of Snakemake that goes on by itself, and what it has said so far."""

    process: subprocess.Popen
    output_file: Path

    @property
    def output(self) -> str:
        return self.output_file.read_text(errors="replace")

    def finish(self, seconds: float = 900) -> str:
        """Wait for a good end, and return what was said."""
        code = self.process.wait(timeout=seconds)
        assert code == 0, self.output[-8000:]
        return self.output

    def submitted(self, wildcards: str = "") -> list[str]:
        """Ids of the jobs given to Slurm, in order; of one job and its retries, where wildcards are named."""
        # Wildcards that are empty leave an underscore each at the end of the folder's name.
        folder = rf"\S*{re.escape(wildcards)}_*"
        return re.findall(rf"with SLURM jobid (\d+) \(log: {folder}/\1\.log\)", self.output)


@dataclass
class Checkout:
    """A copy of the checkout in which Snakemake runs, on the cluster or beside it."""

    folder: Path
    cluster: OneNodeSlurm
    runs: list[Running] = field(default_factory=list)

    @property
    def results(self) -> Path:
        return self.folder / "results" / "quick"

    def start(self, *arguments: str, config: dict[str, Any] | None = None, on_slurm: bool = True) -> Running:
        """Start Snakemake on configs/quick.yaml, overlaid with `config`."""
        number = len(list(self.folder.glob("overlay-*.yaml")))
        overlay = self.folder / f"overlay-{number}.yaml"
        overlay.write_text(yaml.safe_dump(config or {}))
        where = FOR_TESTS if on_slurm else ["--cores", "2"]
        command = [sys.executable, "-m", "snakemake", *where, *arguments]
        command += ["--configfile", "configs/quick.yaml", str(overlay)]
        environment = {**os.environ, **self.cluster.environment}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        output_file = self.folder / f"output-{number}.txt"
        with output_file.open("w") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                # Without this a run that a background shell started could not be stopped by SIGINT.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
        self.runs.append(Running(process, output_file))
        return self.runs[-1]

    def stop(self) -> None:
        """End what a failed test left running, as Ctrl-C does."""
        for running in self.runs:
            if running.process.poll() is None:
                running.process.send_signal(signal.SIGINT)
                running.process.wait(120)


@pytest.fixture(scope="session")
def slurm() -> Iterator[OneNodeSlurm]:
    # The socket of munge must have a short path.
    cluster = OneNodeSlurm(Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp")))
    # The daemons would outlive tests that are ended from outside.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(cluster.folder)
        signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def new_checkout(root: Path, slurm: OneNodeSlurm, tmp_path_factory) -> Iterator[Callable[[str], Checkout]]:
    """Copies the tracked files; another checkout's results can be taken along, with their times."""
    made = []

    def make(name: str, results_of: Checkout | None = None, without: tuple[str, ...] = ()) -> Checkout:
        folder = tmp_path_factory.mktemp(name)
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            text=True,
            check=True,
        )
        for path in listed.stdout.splitlines():
            if not path.startswith(("tests/", "docs/")) and (root / path).is_file():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / path, folder / path)
        checkout = Checkout(folder, slurm)
        if results_of is not None:
            shutil.copytree(results_of.results, checkout.results, ignore=shutil.ignore_patterns(*without))
        made.append(checkout)
        return checkout

    yield make
    for checkout in made:
        checkout.stop()


@dataclass
class QuickRuns:
    """The quick run on this machine alone and on the cluster, made at the same time."""

    local: Checkout
    cluster: Checkout
    cluster_output: str


@pytest.fixture(scope="session")
def quick_runs(new_checkout) -> QuickRuns:
    local, cluster = new_checkout("local"), new_checkout("cluster")
    on_this_machine = local.start("report", on_slurm=False)
    on_slurm = cluster.start("report", config={"resources": ON_GPUS})
    on_this_machine.finish()
    return QuickRuns(local, cluster, on_slurm.finish())


@pytest.fixture(scope="session")
def prepared(new_checkout, quick_runs: QuickRuns) -> Callable[[str], Checkout]:
    """A checkout with tokens and the probe, and nothing that is made from them."""
    left_out = (
        "store",
        "embeddings",
        "alignment",
        "training",
        "losses",
        "analysis",
        "report",
        "times",
        "logs",
    )
    return lambda name: new_checkout(name, quick_runs.local, left_out)

"""Wall time of a run through a one-node Slurm against the same run without it, on the same machine.

    python -m benchmarks.cluster [--config configs/quick.yaml] [--target report] [--cores 2]

One JSON line: `ratio` is the time through Slurm by the time of plain `snakemake --cores`; `overhead_seconds` is the
difference, and `overhead_per_slurm_job` the same per job given to Slurm. Slurm has as many CPUs as the plain run, so
the difference is the cost of submitting, starting Snakemake in each job, and polling. The
profile is profiles/slurm with the intervals of the tests. The results of both runs go to a temporary folder.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run

ROOT = Path(__file__).resolve().parents[1]
HARNESS = ROOT / "tests" / "slurm" / "one_node_slurm.py"
ON_SLURM = ["--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue"]
ON_SLURM += ["--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5"]


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--config", default="configs/quick.yaml", help="overlay of the run")
    parser.add_argument("--target", default="report")
    parser.add_argument("--cores", type=int, default=2)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    given = build_parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as name:
        folder = Path(name)
        started = subprocess.run(
            [sys.executable, str(HARNESS), "start", str(folder / "slurm"), "--cpus", str(given.cores)],
            capture_output=True,
            text=True,
            check=True,
        )
        try:
            local, _ = timed(given, ["--cores", str(given.cores)], folder / "local", {})
            on_slurm, output = timed(given, ON_SLURM, folder / "results", json.loads(started.stdout))
        finally:
            subprocess.run([sys.executable, str(HARNESS), "stop", str(folder / "slurm")], check=True)
    slurm_jobs = len(re.findall("submitted with SLURM jobid", output))
    steps = re.findall(r"^total +(\d+)$", output, flags=re.MULTILINE)
    figures = {
        "config": given.config,
        "cores": given.cores,
        "jobs": int(steps[0]),
        "slurm_jobs": slurm_jobs,
        "local_seconds": round(local, 1),
        "slurm_seconds": round(on_slurm, 1),
        "ratio": round(on_slurm / local, 2),
        "overhead_seconds": round(on_slurm - local, 1),
        "overhead_per_slurm_job": round((on_slurm - local) / slurm_jobs, 2),
    }
    print(json.dumps(figures))


def timed(
    given: argparse.Namespace, where: list[str], results: Path, environment: Mapping[str, str]
) -> tuple[float, str]:
    """Seconds of a run of Snakemake, and its output."""
    command = [sys.executable, "-m", "snakemake", *where, "--nolock"]
    command += [
        "--configfile",
        given.config,
        "--config",
        f"pathvars={{results: {results}}}",
        "--",
        given.target,
    ]
    search = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.environ["PATH"])])
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment, "PATH": search},
    )
    seconds = time.perf_counter() - start
    output = done.stdout + done.stderr
    if done.returncode:
        raise SystemExit(f"the run failed:\n{output[-4000:]}")
    return seconds, output


if __name__ == "__main__":
    run(main)

"""Compare hundreds of training sets with dozens of evaluation sets by all cheap metrics, then add one training set.

    python -m benchmarks.many_pairs --training 400 --evaluation 50 --folder CORPORA

The texts are slices of those in --folder or, without it, of the Python code of the installed packages. Rows are made
first, untimed. Then every job of the comparison that the workflow plans runs as its own process, --processes at a time.
Prints one JSON line per metric, with the CPU seconds of its jobs, the peak memory of the largest, and how many pairs
were computed and reused, and one for all metrics together. `added` repeats this with one more training set in the
middle of the config.
"""

import argparse
import gzip
import importlib
import json
import multiprocessing
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.damage import Job, jobs_of
from workflow_scripts.command_line import parser_for, run

ROOT = Path(__file__).resolve().parents[1]
RUN = "many_pairs"
CHEAP = (
    "gzip_pairs",
    "ngram_cross_entropy",
    "ngram_whole",
    "ngram_whole_trigram",
    "tfidf_cosine",
    "unigram_js",
)
DOCUMENT = 2000  # characters
COMPARISON = ("compare_sets", "join_blocks")
PAIRS = re.compile(r"pairs: computed (\d+), reused (\d+)")


@dataclass(frozen=True)
class Cost:
    """What the processes of some jobs used."""

    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    computed: int = 0
    reused: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.cpu_seconds + other.cpu_seconds,
            max(self.peak_mb, other.peak_mb),
            self.computed + other.computed,
            self.reused + other.reused,
        )


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--training", type=int, default=400, help="training sets")
    parser.add_argument("--evaluation", type=int, default=50, help="evaluation sets")
    parser.add_argument("--kilobytes", type=int, default=300, help="text of each set")
    parser.add_argument("--folder", type=Path, help="with <corpus>.jsonl.gz, texts in column text")
    parser.add_argument("--metrics", nargs="+", default=list(CHEAP))
    parser.add_argument("--processes", type=int, default=2)
    return parser


def texts_of(folder: Path | None) -> Iterator[str]:
    """Long texts, in the order of their files."""
    if folder is None:
        for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py")):
            yield path.read_text(encoding="utf-8", errors="ignore")
        return
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            for line in stream:
                yield json.loads(line).get("text") or ""


def write_corpora(folder: Path, names: Sequence[str], source: Path | None, size: int) -> None:
    """One JSON-lines file per corpus: a slice of all text, its start in proportion to its place among the names."""
    text = "\n".join(texts_of(source))
    for number, name in enumerate(names):
        start = number * max(0, len(text) - size) // len(names)
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as stream:
            for place in range(start, start + size, DOCUMENT):
                stream.write(json.dumps({"text": text[place : place + DOCUMENT]}) + "\n")


def config_of(
    folder: Path, training: Sequence[str], evaluation: Sequence[str], metrics: Sequence[str]
) -> Any:
    """A run whose only purpose is its alignments, at the default batches and rows."""

    def corpus(name: str, held_out: float) -> dict[str, Any]:
        path = str(folder / f"{name}.jsonl")
        return {"source": "files", "paths": [path], "text": "text", "held_out": held_out}

    return {
        "run": RUN,
        "corpora": {
            **{name: corpus(name, 0.0) for name in ("of_tokenizer", *training)},
            **{name: corpus(name, 1.0) for name in evaluation},
        },
        "tokenizer": {"corpora": ["of_tokenizer"]},
        "probe": {"corpora": ["of_tokenizer"]},
        "alignment": {"metrics": list(metrics)},
        "switches": None,
        "experiments": [
            {
                "name": "pretraining",
                "kind": "pretraining",
                "recipe": "from_scratch",
                "train_sets": list(training),
                "eval_sets": list(evaluation),
                "in_domain_for": {},
            }
        ],
    }


def planned(folder: Path, config: Any) -> list[Job]:
    """All jobs up to the tables of the metrics, in an order in which they can run."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    targets = [f"results/{RUN}/alignment/{metric}.parquet" for metric in config["alignment"]["metrics"]]
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    options = ["--dry-run", "--forceall", "--printshellcmds", "--cores", "1", "--configfile", str(path)]
    done = subprocess.run(
        [*snakemake, *targets, *options], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return jobs_of(done.stdout + done.stderr)


def make(job: Job) -> None:
    """Run a job in this process, unless its files exist."""
    if not all(Path(output).exists() for output in job.outputs):
        importlib.import_module(f"workflow_scripts.{job.program}").main(job.words)


def make_rows(jobs: Sequence[Job], processes: int) -> None:
    """Everything before the comparison, in a few processes that import the libraries once."""
    spawned = multiprocessing.get_context("spawn")
    for program in ("build_corpus", "make_tokenizer", "tokenize_corpus", "draw_random_rows"):
        with spawned.Pool(processes) as pool:
            pool.map(make, [job for job in jobs if job.program == program], chunksize=8)


def cost_of(job: Job) -> Cost:
    """Run a job of the comparison as its own process."""
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-m", f"workflow_scripts.{job.program}", *job.words]
        process = subprocess.Popen(command, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        said = log.read()
    if status:
        raise SystemExit(f"{job.program} failed: {said[-2000:]}")
    counts = [tuple(map(int, found)) for found in PAIRS.findall(said)]
    return Cost(
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        sum(computed for computed, _ in counts),
        sum(reused for _, reused in counts),
    )


def compare(jobs: Sequence[Job], metrics: Sequence[str], processes: int, step: str) -> None:
    """Run the jobs of every metric, and print what they used."""
    every, started = Cost(), time.perf_counter()
    for metric in metrics:
        own = [job for job in jobs if job.program in COMPARISON and metric in job.words]
        total = Cost()
        for program in COMPARISON:
            with ThreadPoolExecutor(processes) as pool:
                total = sum(pool.map(cost_of, [job for job in own if job.program == program]), total)
        every += total
        print_cost(step, metric, len(own), total)
    print_cost(
        step, "all", sum(job.program in COMPARISON for job in jobs), every, time.perf_counter() - started
    )


def print_cost(step: str, metric: str, jobs: int, cost: Cost, seconds: float | None = None) -> None:
    stored = [path.stat().st_size for path in Path("results", RUN, "store").rglob("*") if path.is_file()]
    line = {
        "step": step,
        "metric": metric,
        "jobs": jobs,
        "cpu_seconds": round(cost.cpu_seconds, 1),
        "peak_mb": round(cost.peak_mb),
        "pairs_computed": cost.computed,
        "pairs_reused": cost.reused,
        "files_in_store": len(stored),
        "store_mb": round(sum(stored) / 1e6, 1),
    }
    print(json.dumps(line | ({} if seconds is None else {"seconds": round(seconds, 1)})), flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    names = [f"train_{number}" for number in range(arguments.training + 1)]
    evaluation = [f"eval_{number}" for number in range(arguments.evaluation)]
    added = names[len(names) // 2]
    source = arguments.folder.resolve() if arguments.folder else None
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        folder = Path(name)
        # In a process of its own: the peak of a job is at least the memory of the process that starts it.
        everything = [*names, *evaluation, "of_tokenizer"]
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.apply(write_corpora, (folder, everything, source, 1000 * arguments.kilobytes))
        for step, training in (("first", [one for one in names if one != added]), ("added", names)):
            jobs = planned(folder, config_of(folder, training, evaluation, arguments.metrics))
            make_rows(jobs, arguments.processes)
            compare(jobs, arguments.metrics, arguments.processes, step)
        os.chdir(ROOT)


if __name__ == "__main__":
    run(main)

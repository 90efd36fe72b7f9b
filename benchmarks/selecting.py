"""Choose rows from a pool of a given size: speed and peak memory, compared with DSIR's own program on the same pool.

    python -m benchmarks.selecting --gb 1
    python -m benchmarks.selecting --gb 0.05 --dsir-python /tmp/venv_dsir/bin/python

The pool is made in a temporary folder, from invented words or, with --folder, from sentences of real texts in random
order. Prints one JSON line. A core's speed is bytes of text per CPU second (user and system, all processes, including
start-up and compilation). `--dsir-python` is a Python that has `data-selection` (PyPI) installed.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.corpora.assemble import COLUMNS
from workflow_scripts.storage.tables import read_json, write_json, write_table

TARGET_ROWS = 200
ROW_WORDS = 300
BYTES_PER_TOKEN = 4.0
VOCABULARY, TOPICS = 30_000, 20

DSIR_PROGRAM = """
import sys
from data_selection import HashedNgramDSIR
pool, target, folder, rows, processes = sys.argv[1:]
dsir = HashedNgramDSIR(pool.split(","), [target], cache_dir=folder + "/cache", num_proc=int(processes))
dsir.fit_importance_estimator(num_tokens_to_fit="auto")
dsir.compute_importance_weights()
dsir.resample(out_dir=folder + "/chosen", num_to_sample=int(rows), cache_dir=folder + "/resampled")
"""


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--gb", type=float, default=1.0, help="size of the pool's text in GB")
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.02, help="share of the pool to choose")
    parser.add_argument("--folder", type=Path, help="with <corpus>.jsonl.gz, texts in column text")
    parser.add_argument("--dsir-python", help="a Python with data-selection installed")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def invented(draws: np.random.Generator, is_target: bool) -> Iterator[str]:
    """Texts of words with Zipf's frequencies; each topic has its own order of the rarer words."""
    letters = np.array(list("etaoinshrdlcumwfgypbvk"))
    words = np.array(
        ["".join(draws.choice(letters, size=length)) for length in draws.integers(2, 10, VOCABULARY)]
    )
    orders = [
        np.concatenate([np.arange(200), 200 + draws.permutation(VOCABULARY - 200)]) for _ in range(TOPICS)
    ]
    chances = np.cumsum(1 / np.arange(1, VOCABULARY + 1))
    chances /= chances[-1]
    while True:
        topic = 0 if is_target else int(draws.integers(TOPICS))
        length = int(ROW_WORDS * draws.lognormal(0, 0.7)) + 5
        yield " ".join(words[orders[topic][np.searchsorted(chances, draws.random(length))]])


def rearranged(folder: Path, draws: np.random.Generator, is_target: bool) -> Iterator[str]:
    """Sentences of real texts; those of a target come only from the first corpus."""
    sentences: list[str] = []
    for path in sorted(folder.glob("*.jsonl.gz"))[: 1 if is_target else None]:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            for text in (json.loads(line).get("text") or "" for line in stream):
                sentences += text.split(". ")
    while True:
        yield ". ".join(sentences[number] for number in draws.integers(len(sentences), size=12))


def write_pool(folder: Path, texts: Iterator[str], total: int, files: int) -> tuple[list[Path], int, int]:
    """Write JSON lines with `total` bytes of text; returns the files, the bytes, and the rows."""
    paths = [folder / f"pool-{number}.jsonl" for number in range(files)]
    held = rows = 0
    for number, path in enumerate(paths, start=1):
        with path.open("w", encoding="utf-8") as stream:
            while held < total * number / files:
                text = next(texts)
                stream.write(json.dumps({"text": text, "number": rows}) + "\n")
                held += len(text.encode())
                rows += 1
    return paths, held, rows


def measured(command: Sequence[str]) -> dict[str, float]:
    """Wall and CPU seconds of a command, and the peak memory of its largest process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[:3]} failed")
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
    }


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)

    def texts(is_target: bool) -> Iterator[str]:
        draws = np.random.default_rng([arguments.seed, 0 if arguments.folder is None else int(is_target)])
        return (
            rearranged(arguments.folder, draws, is_target) if arguments.folder else invented(draws, is_target)
        )

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths, held, rows = write_pool(folder, texts(False), round(arguments.gb * 1e9), arguments.files)
        source = texts(True)
        target = [
            dict.fromkeys(COLUMNS) | {"doc_id": str(n), "split": "eval", "text": next(source)}
            for n in range(TARGET_ROWS)
        ]
        write_table(
            pa.Table.from_pylist(target, pa.schema([(column, pa.string()) for column in COLUMNS])),
            folder / "documents.parquet",
        )
        (folder / "target.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in target), encoding="utf-8"
        )
        spec = json.dumps({"source": "files", "paths": [str(path) for path in paths]})
        write_json({"target.eval": {"bytes_per_token": BYTES_PER_TOKEN}}, folder / "sizes.json")
        options = {
            "pool": f"all={spec}",
            "target": folder / "documents.parquet",
            "split": "eval",
            "tokens": round(held * arguments.share / BYTES_PER_TOKEN),
            "sizes": folder / "sizes.json",
            "size-of": "target.eval",
            "seed": arguments.seed,
            "processes": arguments.processes,
            "scratch": folder / "scratch",
            "output": folder / "chosen.parquet",
            "card": folder / "README.md",
            "summary": folder / "summary.json",
        }
        named = [str(part) for option, value in options.items() for part in (f"--{option}", value)]
        ours = measured([sys.executable, "-m", "workflow_scripts.select_rows", *named])
        summary = read_json(folder / "summary.json")
        result = {
            "pool_mb": round(held / 1e6),
            "rows": rows,
            "processes": arguments.processes,
            **ours,
            "mb_per_cpu_second": round(held / 1e6 / ours["cpu_seconds"], 1),
            "chosen_rows": summary["chosen"]["rows"],
        }
        if arguments.dsir_python:
            command = [
                arguments.dsir_python,
                "-c",
                DSIR_PROGRAM,
                ",".join(map(str, paths)),
                str(folder / "target.jsonl"),
            ]
            theirs = measured(
                [*command, str(folder), str(round(rows * arguments.share)), str(arguments.processes)]
            )
            result["dsir"] = {**theirs, "mb_per_cpu_second": round(held / 1e6 / theirs["cpu_seconds"], 2)}
    print(json.dumps(result))


if __name__ == "__main__":
    run(main)

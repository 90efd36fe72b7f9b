"""Choose rows from a pool of a given size: speed and peak memory, compared with DSIR's own program on the same pool.

    python -m benchmarks.selecting --gb 1
    python -m benchmarks.selecting --gb 0.05 --dsir-python /tmp/venv_dsir/bin/python

The pool is made in a temporary folder, from invented words or, with --folder, from sentences of real texts in random
order. Prints one JSON line. A core's speed is bytes of text per CPU second (user and system, all processes, including
start-up and compilation). `--dsir-python` is a Python that has `data-selection` (PyPI) installed.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.large_text import invented, measured, rearranged, write_pool
from workflow_scripts.command_line import parser_for, run
from workflow_scripts.storage.documents import COLUMNS
from workflow_scripts.storage.tables import read_json, write_json, write_table

TARGET_ROWS = 200
BYTES_PER_TOKEN = 4.0

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

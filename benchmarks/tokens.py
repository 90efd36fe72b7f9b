"""From JSON lines to rows of tokens: speed and peak memory of each program of the target `tokens`.

    python -m benchmarks.tokens --gb 0.1
    python -m benchmarks.tokens --gb 10 --folder <corpora>

The text is made in a temporary folder, from invented words or, with --folder, from sentences of real texts in random
order, and a tenth of it is held out. Prints one JSON line. A core's speed is bytes of text per CPU second (user and
system, all programs together, including start-up and compilation).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.large_text import invented, measured, rearranged, write_pool
from workflow_scripts.command_line import parser_for, run


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--gb", type=float, default=0.1, help="size of the text in GB")
    parser.add_argument("--folder", type=Path, help="with <corpus>.jsonl.gz, texts in column text")
    parser.add_argument("--scratch", type=Path, help="where to make the text; by default the system's")
    parser.add_argument("--length", type=int, default=512, help="tokens in a row")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    draws = np.random.default_rng(arguments.seed)
    texts = rearranged(arguments.folder, draws, False) if arguments.folder else invented(draws, False)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as name:
        folder = Path(name)
        (path,), held, rows = write_pool(folder, texts, round(arguments.gb * 1e9), 1)
        documents = folder / "documents.parquet"
        programs = {
            "build_corpus": {
                "name": "x",
                "spec": json.dumps({"source": "files", "paths": [str(path)]}),
                "held-out": 0.1,
                "seed": arguments.seed,
                "documents": documents,
                "manifest": folder / "manifest.json",
            },
            "make_tokenizer": {"documents": documents, "vocabulary": 8192, "output": folder / "tokenizer"},
        }
        for side in ("train", "eval"):
            programs[f"tokenize_corpus {side}"] = {
                "documents": documents,
                "name": "x",
                "split": side,
                "layout": "packed",
                "tokenizer": folder / "tokenizer",
                "length": arguments.length,
                "seed": arguments.seed,
                "output": folder / f"{side}.parquet",
            }
        costs = {}
        for program, options in programs.items():
            named = [str(part) for option, value in options.items() for part in (f"--{option}", value)]
            costs[program] = measured(
                [sys.executable, "-m", f"workflow_scripts.{program.split()[0]}", *named]
            )
            costs[program]["mb_per_cpu_second"] = round(held / 1e6 / costs[program]["cpu_seconds"], 1)
        together = sum(cost["cpu_seconds"] for cost in costs.values())
        result = {
            "text_mb": round(held / 1e6),
            "documents": rows,
            **costs,
            "peak_mb": max(cost["peak_mb"] for cost in costs.values()),
            "mb_per_cpu_second": round(held / 1e6 / together, 1),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    run(main)

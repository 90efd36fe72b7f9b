"""All measurements on a GPU in one command, without a network; writes one JSON file.

    python -m benchmarks.gpu --output gpu.json [--parts embedding training ...] [--minutes 8]

Each part has a share of the minutes. The file reports parts that failed and cases without enough time; other parts
still run. A second run with the same file replaces the parts that it ran. The program prints a table of the ratios at
the end. On a CPU, `--device cpu --shapes tiny` tests the program itself.
"""

import argparse
import json
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.command_line import parser_for, run, set_threads

MINUTES = {
    "ceilings": 0.2,
    "embedding": 3.2,
    "accuracy": 1.2,
    "memory": 0.7,
    "training": 1.0,
    "evaluation": 0.3,
    "resume": 0.9,
    "lease": 0.3,
}
"""Minutes of each part if all parts together take 7.8."""


def part_functions() -> dict[str, Callable[[Any], dict[str, Any]]]:
    """Imports late, because the threads of torch must be set first."""
    from benchmarks.gpu.accuracy import accuracy
    from benchmarks.gpu.embedding import throughput
    from benchmarks.gpu.facts import ceilings
    from benchmarks.gpu.memory import memory
    from benchmarks.gpu.processes import lease, resume
    from benchmarks.gpu.training import evaluation, training

    return {
        "ceilings": ceilings,
        "embedding": throughput,
        "accuracy": accuracy,
        "memory": memory,
        "training": training,
        "evaluation": evaluation,
        "resume": resume,
        "lease": lease,
    }


def table(parts: dict[str, Any]) -> list[str]:
    """A line for each shape, row length and precision: time relative to a plain pass, and hours for 100M tokens."""
    lines = []
    for shape, of_shape in parts.get("embedding", {}).items():
        for length, of_rows in of_shape.items() if isinstance(of_shape, dict) else ():
            for precision, measured in of_rows.items() if isinstance(of_rows, dict) else ():
                if isinstance(measured, dict):
                    ratios = " ".join(f"{name} {ratio:.3g}" for name, ratio in measured["ratios"].items())
                    lines.append(f"{shape} {length} {precision}: {ratios}")
    return lines


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--output", required=True, type=Path, help="results (JSON)")
    parser.add_argument("--parts", nargs="+", choices=MINUTES, default=list(MINUTES))
    parser.add_argument("--minutes", type=float, default=7.8, help="total for all chosen parts")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--shapes", choices=["full", "tiny"], default="full", help="sizes of models and rows")
    parser.add_argument("--threads", type=int, default=4)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    import torch

    from benchmarks.gpu.bench import Bench, one_line
    from benchmarks.gpu.facts import describe
    from workflow_scripts.storage.tables import read_json, write_json
    from workflow_scripts.training.devices import resolve_device

    device = torch.device(resolve_device(arguments.device))
    earlier = read_json(arguments.output)["parts"] if arguments.output.is_file() else {}
    results: dict[str, Any] = {"device": describe(), "parts": earlier}
    functions = part_functions()
    minutes_of_all = sum(MINUTES[part] for part in arguments.parts)
    with tempfile.TemporaryDirectory() as folder:
        for part in arguments.parts:
            share = 60 * arguments.minutes * MINUTES[part] / minutes_of_all
            started = time.monotonic()
            bench = Bench(device, arguments.shapes, Path(folder), started + share)
            try:
                found = functions[part](bench)
            except Exception as error:  # noqa: BLE001 - failures are reported, and other parts continue
                traceback.print_exc()
                found = {"error": one_line(error)}
            bench.free_memory()
            seconds = round(time.monotonic() - started, 1)
            results["parts"][part] = found | {
                "seconds": seconds,
                "command": shlex.join(["python", "-m", "benchmarks.gpu", *(argv or sys.argv[1:])]),
                "left_out": bench.notes,
            }
            write_json(results, arguments.output)  # after each part: a kill loses at most one
            outcome = {key: value for key, value in found.items() if key in ("error", "passes")}
            print(
                json.dumps({"part": part, "seconds": seconds, "left_out": len(bench.notes), **outcome}),
                flush=True,
            )
    print("\n".join(table(results["parts"])))


if __name__ == "__main__":
    run(main)

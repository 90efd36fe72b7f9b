"""Everything that is to be measured on a GPU, in one command and without a network: results as one JSON file.

    python -m benchmarks.gpu --output gpu.json [--parts embedding training ...] [--minutes 8]

Each part has a share of the minutes. A part that fails, or cases for which its time did not suffice, are reported in
the file, and the other parts run all the same. A second run into the same file replaces the parts that it ran. The
last lines printed are a table of the ratios. On a CPU, `--device cpu --shapes tiny` tries the program itself.
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
"""Share of each part where the whole takes 7.8 minutes."""


def part_functions() -> dict[str, Callable[[Any], dict[str, Any]]]:
    """Imported late, because torch has to be told its threads first."""
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
    """A line for each shape, row length and precision: time over that of a plain pass, and hours for 100M tokens."""
    lines = []
    for shape, of_shape in parts.get("embedding", {}).items():
        for length, of_rows in of_shape.items() if isinstance(of_shape, dict) else ():
            for precision, measured in of_rows.items() if isinstance(of_rows, dict) else ():
                if isinstance(measured, dict):
                    told = " ".join(f"{name} {ratio:.3g}" for name, ratio in measured["ratios"].items())
                    lines.append(f"{shape} {length} {precision}: {told}")
    return lines


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--output", required=True, type=Path, help="results (JSON)")
    parser.add_argument("--parts", nargs="+", choices=MINUTES, default=list(MINUTES))
    parser.add_argument("--minutes", type=float, default=7.8, help="of all chosen parts together")
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
            except Exception as error:  # noqa: BLE001 - what fails is reported, and the other parts go on
                traceback.print_exc()
                found = {"error": one_line(error)}
            bench.free_memory()
            seconds = round(time.monotonic() - started, 1)
            results["parts"][part] = found | {
                "seconds": seconds,
                "command": shlex.join(["python", "-m", "benchmarks.gpu", *(argv or sys.argv[1:])]),
                "left_out": bench.notes,
            }
            write_json(results, arguments.output)  # after each part, so that a kill loses one at most
            told = {key: value for key, value in found.items() if key in ("error", "passes")}
            print(
                json.dumps({"part": part, "seconds": seconds, "left_out": len(bench.notes), **told}),
                flush=True,
            )
    print("\n".join(table(results["parts"])))


if __name__ == "__main__":
    run(main)

"""Compare the speed of lengths of joined texts with zlib: microseconds of CPU per pair of rows.

Run as `python -m benchmarks.gzip_lengths`. The rows are 430 bytes of the Python code of the installed packages or, with
--folder, of the texts there: as many as 128 tokens of a vocabulary of 2,048.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.many_pairs import texts_of
from workflow_scripts.command_line import parser_for, run
from workflow_scripts.compression.deflate_size import joined_lengths, prepared
from workflow_scripts.metrics.gzip_pairs import compressed_length

ROW = 430


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--folder", type=Path, help="with <corpus>.jsonl.gz, texts in column text")
    parser.add_argument("--rows", type=int, default=128, help="every row is paired with every other one")
    parser.add_argument("--repeats", type=int, default=5)
    return parser


def cpu_seconds(function: Callable[[], object]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    long_texts = (text.encode() for text in texts_of(arguments.folder) if len(text) > 2 * ROW)
    rows = [text[:ROW] for text in itertools.islice(long_texts, arguments.rows)]
    places = np.array(list(itertools.product(range(len(rows)), repeat=2)))
    made = prepared(np.frombuffer(b"".join(rows), np.uint8), np.arange(1, len(rows) + 1) * ROW)
    joined = [b"".join(sorted((rows[i], rows[j]))) for i, j in places]
    ours = joined_lengths(made, made, places)
    assert (ours == [compressed_length(text) for text in joined]).all()
    times: dict[str, list[float]] = {"ours": [], "zlib": []}
    for _ in range(arguments.repeats):  # in turn, because the machine's speed changes
        times["ours"].append(cpu_seconds(lambda: joined_lengths(made, made, places)))
        times["zlib"].append(cpu_seconds(lambda: [compressed_length(text) for text in joined]))
    micros = {name: 1e6 * float(np.median(found)) / len(places) for name, found in times.items()}
    ratio = float(np.median(np.divide(times["ours"], times["zlib"])))
    print(json.dumps({**{name: round(value, 1) for name, value in micros.items()}, "ratio": round(ratio, 2)}))


if __name__ == "__main__":
    run(main)

"""Time and memory of distances between many Fisher embeddings.

    python -m benchmarks.distance [--case pairs|stream] [--embeddings N] [--coordinates N] [--threads 2]

One JSON line. `pairs`: all pairs of 600 embeddings in memory against the double loop of SciPy cosines as released:
`speedup` (seconds of the loop over seconds of `distance_matrix`), the largest difference of the pairs that both
computed, and the growth of resident memory. The loop is timed on a sample of the pairs and scaled.

`stream`: all pairs of 10,000 embeddings of two Parquet files, which `distance_matrix_of_files` never holds in memory
whole: seconds (an estimate goes to stderr first), the largest difference from `distance_matrix` on a sample of rows
that is held in memory, and how far resident memory grows over what it was before at its peak (Linux only), next to
what the result alone and both files would take. The files lie in --folder and are deleted afterwards.
"""

import argparse
import json
import logging
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.fisher import peak_of
from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.errors import UserError

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger(__name__)

EPSILON = 1e-8
DEFAULTS = {"pairs": (600, 134_993), "stream": (10_000, 8_192)}
PART = 500
"""Embeddings that are made and written at a time."""


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--case", choices=DEFAULTS, default="pairs")
    parser.add_argument("--embeddings", type=int, help="600 in memory, 10,000 from files")
    parser.add_argument("--coordinates", type=int, help="134,993 in memory, 8,192 from files")
    parser.add_argument("--pairs", type=int, default=600, help="pairs that the loop is timed on")
    parser.add_argument("--repeats", type=int, default=3, help="of the case pairs")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="of the case stream")
    parser.add_argument("--threads", type=int, default=2)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    set_threads(arguments.threads)
    n, size = DEFAULTS[arguments.case]
    n, size = arguments.embeddings or n, arguments.coordinates or size
    if arguments.case == "pairs":
        found = all_pairs_in_memory(n, size, arguments.pairs, arguments.repeats)
    else:
        found = all_pairs_of_files(n, size, arguments.folder)
    print(json.dumps({"case": arguments.case, **found, "embeddings": n, "coordinates": size}))


def write(path: Path, n: int, size: int, seed: int, chosen: "np.ndarray") -> "np.ndarray":
    """A file of made-up embeddings as `embed_batches` writes them, and the chosen ones of them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    generator = np.random.default_rng(seed)
    kept = []
    with pq.ParquetWriter(path, pa.schema([("embedding", pa.list_(pa.float32()))])) as file:
        for start in range(0, n, PART):
            part = made_up(generator, min(PART, n - start), size)
            file.write_table(pa.table({"embedding": pa.array(list(part), pa.list_(pa.float32()))}))
            kept.append(part[chosen[(chosen >= start) & (chosen < start + PART)] - start])
    return np.concatenate(kept)


def made_up(generator: "np.random.Generator", n: int, size: int) -> "np.ndarray":
    """Log-normal numbers over many orders of magnitude, as Fisher embeddings are."""
    import numpy as np

    return np.exp(2 * generator.standard_normal((n, size), dtype=np.float32) - 14)


def peak_memory() -> int:
    """The most bytes that the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def resident_memory() -> int:
    """The bytes that the process holds now (Linux only)."""
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) * 1024


def all_pairs_in_memory(n: int, size: int, pairs: int, repeats: int) -> dict[str, Any]:
    import numpy as np
    from scipy.spatial.distance import cosine

    from workflow_scripts.fisher.distance import distance_matrix

    generator = np.random.default_rng(0)
    embeddings = made_up(generator, n, size)
    chosen = generator.integers(0, n, (pairs, 2))
    distance_matrix(embeddings[:2], embeddings[:2].copy(), EPSILON)  # compile
    distance_matrix(embeddings[:2], embeddings[2:4], EPSILON)
    before = peak_memory()

    loop, ours, error = [], [], 0.0
    for _ in range(repeats):
        started = time.perf_counter()
        sample = []
        for i, j in chosen:
            a, b = embeddings[i], embeddings[j]
            sample.append(cosine(a / (a + b + EPSILON), b / (a + b + EPSILON)))
        loop.append((time.perf_counter() - started) / len(chosen) * n * n)
        started = time.perf_counter()
        matrix = distance_matrix(embeddings, embeddings, EPSILON)
        ours.append(time.perf_counter() - started)
        error = max(error, float(np.abs(matrix[chosen[:, 0], chosen[:, 1]] - sample).max()))
    return {
        "speedup": round(float(np.median(loop) / np.median(ours)), 1),
        "microseconds_a_pair": round(float(np.median(ours)) / n**2 * 1e6, 1),
        "microseconds_a_pair_loop": round(float(np.median(loop)) / n**2 * 1e6, 1),
        "largest_difference": error,
        "peak_memory_mib": round(peak_memory() / 2**20),
        "growth_of_memory_mib": round((peak_memory() - before) / 2**20),
    }


def all_pairs_of_files(n: int, size: int, folder: Path) -> dict[str, Any]:
    import numpy as np

    from workflow_scripts.fisher.distance import distance_matrix, distance_matrix_of_files

    if shutil.disk_usage(folder).free < 3 * 4 * n * size:
        raise UserError(f"{folder} has no room for two files of {4 * n * size / 2**30:.1f} GiB")
    generator = np.random.default_rng(0)
    chosen = np.sort(generator.choice(n, (2, min(n, 50)), replace=False))
    with tempfile.TemporaryDirectory(dir=folder) as place:
        first, second = Path(place) / "first.parquet", Path(place) / "second.parquet"
        samples = [write(path, n, size, seed, chosen[seed]) for seed, path in enumerate((first, second))]
        expected = distance_matrix(samples[0], samples[1])  # compiles, too
        hundred = np.repeat(samples[0][:1], 100, axis=0)
        started = time.perf_counter()
        distance_matrix(hundred, hundred[:99])
        estimate = (time.perf_counter() - started) / 9900 * n * n
        logger.info("%d x %d pairs of %d numbers: about %.0f s", n, n, size, estimate)
        matrices: list[np.ndarray] = []
        before = resident_memory()
        seconds, peak = peak_of(lambda: matrices.append(distance_matrix_of_files(first, second)))
        (matrix,) = matrices
    return {
        "seconds": round(seconds, 1),
        "microseconds_a_pair": round(seconds / n**2 * 1e6, 2),
        "largest_difference": float(np.abs(matrix[np.ix_(*chosen)] - expected).max()),
        "growth_of_memory_mib": round((peak - before) / 2**20),
        "result_mib": round(matrix.nbytes / 2**20),
        "both_files_mib": round(2 * 4 * n * size / 2**20),
    }


if __name__ == "__main__":
    run(main)

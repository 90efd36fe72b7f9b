"""Time and memory of distances between many Fisher embeddings.

    python -m benchmarks.distance [--embeddings N] [--coordinates N] [--threads 2]

One JSON line: all pairs of 600 embeddings, compared with the released double loop of SciPy cosines: `speedup` (seconds
of the loop over seconds of `distance_matrix`), the largest difference of pairs that both computed, and the growth of
resident memory. The loop is timed on a sample of the pairs and scaled.
"""

import json
import resource
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workflow_scripts.command_line import parser_for, run, set_threads

if TYPE_CHECKING:
    import argparse

    import numpy as np

EPSILON = 1e-8


def build_parser() -> "argparse.ArgumentParser":
    parser = parser_for(__doc__)
    parser.add_argument("--embeddings", type=int, default=600)
    parser.add_argument("--coordinates", type=int, default=134_993)
    parser.add_argument("--pairs", type=int, default=600, help="pairs on which the loop is timed")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    n, size = arguments.embeddings, arguments.coordinates
    found = all_pairs(n, size, arguments.pairs, arguments.repeats)
    print(json.dumps({**found, "embeddings": n, "coordinates": size}))


def made_up(generator: "np.random.Generator", n: int, size: int) -> "np.ndarray":
    """Log-normal numbers over many orders of magnitude, like Fisher embeddings."""
    import numpy as np

    return np.exp(2 * generator.standard_normal((n, size), dtype=np.float32) - 14)


def peak_memory() -> int:
    """Peak memory of the process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def all_pairs(n: int, size: int, pairs: int, repeats: int) -> dict[str, Any]:
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


if __name__ == "__main__":
    run(main)

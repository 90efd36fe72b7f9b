"""Time and memory of all pairs of Fisher embeddings against the double loop of SciPy cosines as released.

    python -m benchmarks.distance [--embeddings 600] [--coordinates 134993] [--threads 2]

One JSON line: `speedup` (seconds of the loop over seconds of `distance_matrix`), the largest difference of the
pairs that both computed, and the growth of resident memory. The loop is timed on a sample of the pairs and scaled.
"""

import argparse
import json
import resource
import time
from collections.abc import Sequence

from workflow_scripts.command_line import parser_for, run, set_threads

EPSILON = 1e-8


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--embeddings", type=int, default=600)
    parser.add_argument("--coordinates", type=int, default=134_993)
    parser.add_argument("--pairs", type=int, default=600, help="pairs that the loop is timed on")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    import numpy as np
    from scipy.spatial.distance import cosine

    from workflow_scripts.fisher import distance_matrix

    n = arguments.embeddings
    generator = np.random.default_rng(0)
    embeddings = np.exp(2 * generator.standard_normal((n, arguments.coordinates), dtype=np.float32) - 14)
    chosen = generator.integers(0, n, (arguments.pairs, 2))
    distance_matrix(embeddings[:2], embeddings[:2].copy(), EPSILON)  # compile
    distance_matrix(embeddings[:2], embeddings[2:4], EPSILON)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    loop, ours, error = [], [], 0.0
    for _ in range(arguments.repeats):
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
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "case": "distance",
                "speedup": round(float(np.median(loop) / np.median(ours)), 1),
                "microseconds_a_pair": round(float(np.median(ours)) / n**2 * 1e6, 1),
                "microseconds_a_pair_loop": round(float(np.median(loop)) / n**2 * 1e6, 1),
                "largest_difference": error,
                "peak_memory_mib": round(after / 1024),
                "growth_of_memory_mib": round((after - before) / 1024),
                "embeddings": n,
            }
        )
    )


if __name__ == "__main__":
    run(main)

"""Other ways to order the rows of a pool. Each arm uses the first rows of its order, until all arms have equal tokens.

- random: a permutation drawn from a seed.
- pool_order: the files in name order, rows in file order.
- dsir: the weights of DSIR's own package (hashed n-grams, its defaults) and Gumbel noise, as it resamples
  (Xie et al., arXiv 2302.03169).
- zip_fit: mean over a sample of target rows of 1 - NCD(row, target row), by gzip's algorithm
  (Obbad et al., arXiv 2410.18194). NCD(x, y) = (C(xy) - min(C(x), C(y))) / max(C(x), C(y)).
- perplexity: least perplexity per token under a Kneser-Ney trigram model of the target.
"""

import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workflow_scripts.ngrams.kneser_ney import counted, fit, ngrams, probabilities

DSIR_PROGRAM = """
import sys
import numpy as np
from data_selection import HashedNgramDSIR
pool, target, folder, seed, output = sys.argv[1:]
dsir = HashedNgramDSIR([pool], [target], cache_dir=folder, num_proc=1)
dsir.fit_importance_estimator(num_tokens_to_fit="auto")
dsir.compute_importance_weights()
weights = np.load(folder + "/log_importance_weights/0.npy").astype(float).reshape(-1)
passes = dsir.perexample_metadata_filter(np.load(folder + "/perexample_metadata/0.npy")).reshape(-1)
weights += np.random.default_rng(int(seed)).gumbel(size=len(weights))
with open(output, "wb") as stream:
    np.save(stream, np.argsort(-np.where(passes, weights, -np.inf), kind="stable")[: passes.sum()])
"""


def dsir_order(python: str, pool: Path, target: Path, scratch: Path, seed: int) -> np.ndarray:
    """Rows of the pool by DSIR, most likely first; without the rows that its own filter removes."""
    output = scratch / "order.npy"
    scratch.mkdir(parents=True, exist_ok=True)
    given = [str(pool), str(target), str(scratch / "cache"), str(seed), str(output)]
    subprocess.run([python, "-c", DSIR_PROGRAM, *given], check=True)
    return np.load(output)


def zip_fit_scores(pool: Sequence[str], target_rows: Sequence[str]) -> np.ndarray:
    targets = [row.encode() for row in target_rows]
    of_targets = [_compressed(row) for row in targets]
    scores = []
    for text in pool:
        row = text.encode()
        own = _compressed(row)
        distances = [
            (_compressed(row + target) - min(own, other)) / max(own, other)
            for target, other in zip(targets, of_targets, strict=True)
        ]
        scores.append(1 - float(np.mean(distances)))
    return np.array(scores)


def _compressed(text: bytes) -> int:
    return len(zlib.compress(text))


def log_probability_scores(
    pool: Sequence[np.ndarray], target: Sequence[np.ndarray], order: int, vocabulary: int
) -> np.ndarray:
    """Mean log-probability of a row's tokens under a model of the target; the highest has the lowest perplexity."""
    model = fit(*counted([_ngrams(target, order, vocabulary)]), order, vocabulary)
    lengths = np.array([len(row) for row in pool])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    logs = np.log(probabilities(model, _ngrams(pool, order, vocabulary), order, vocabulary))
    return np.add.reduceat(logs, starts) / lengths


def _ngrams(rows: Sequence[np.ndarray], order: int, vocabulary: int) -> np.ndarray:
    lengths = np.array([len(row) for row in rows])
    matrix = np.zeros((len(rows), int(lengths.max())), dtype=np.int64)
    for row, ids in zip(matrix, rows, strict=True):
        row[: len(ids)] = ids
    return ngrams(matrix, lengths, order, vocabulary)


def first_tokens(order: np.ndarray, lengths: np.ndarray, tokens: int) -> np.ndarray:
    """The first rows of an order, until they have this many tokens; the last row may exceed it."""
    held = np.cumsum(lengths[order])
    if not len(held) or held[-1] < tokens:
        raise ValueError(f"the order has {held[-1] if len(held) else 0} tokens, and {tokens} are wanted")
    return order[: int(np.searchsorted(held, tokens)) + 1]

"""Alignment as a function of rows: every training set with every evaluation set, at increasing numbers of rows.

Each number of rows is one batch: the first rows in the seeded order, so smaller batches are part of larger ones.
Fisher embeddings are pooled over whole batches instead: more rows need more batches, and none is computed again.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.errors import TooFewRows, UserError
from workflow_scripts.metrics.base import Batch, Metric
from workflow_scripts.metrics.inputs import count_set_rows, embeddings_at, row_batches
from workflow_scripts.metrics.pieces import Pieces
from workflow_scripts.storage.content_store import ContentStore
from workflow_scripts.tokens.text_tokenizer import TextTokenizer

logger = logging.getLogger(__name__)

ALIGNMENT_TYPES = {
    **dict.fromkeys(("metric", "source", "target"), "str"),
    **dict.fromkeys(("rows", "source_rows", "target_rows"), "int64"),
    "alignment": "float64",
}
COST_TYPES = {"metric": "str", "set": "str", "rows": "int64", "seconds": "float64"}

Take = Callable[[str, int], tuple[Batch, float]]
"""Takes a set and a number of rows; returns a batch of so many rows (of all if the set has fewer) and its seconds."""


def first_rows(paths: Mapping[str, Path], seed: int, decoder: TextTokenizer | None) -> Take:
    """Batches that are rows of a set."""
    counts = {name: count_set_rows(path) for name, path in paths.items()}

    def take(name: str, rows: int) -> tuple[Batch, float]:
        (batch,) = row_batches(paths[name], 1, min(rows, counts[name]), seed, decoder)
        return batch, 0.0

    return take


def pooled_batches(paths: Mapping[str, Path], seconds: Mapping[str, Sequence[float]]) -> Take:
    """Batches that pool the Fisher information of several embedded batches; `seconds` are those of each of them."""

    def take(name: str, rows: int) -> tuple[Batch, float]:
        path = paths[name]
        table = embeddings_at(path)
        sizes = np.array([len(ids) for ids in table.column("row_ids").to_pylist()])
        count = int((sizes.cumsum() <= rows).sum())
        if count == 0:
            raise UserError(
                f"{path}: its batches have {sizes[0]} rows, so {rows} rows are no whole number of batches"
            )
        table = table.slice(0, count)
        scored = table.column("n_scored").to_numpy()
        embeddings = table.column("embedding").combine_chunks().flatten().to_numpy().reshape(count, -1)
        n_rows = int(sizes[:count].sum())
        batch = Batch(n_rows, int(scored.sum()) + n_rows, embedding=pooled(embeddings, scored))
        return batch, float(sum(seconds[name][:count]))

    return take


def pooled(embeddings: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """The embedding of all batches together: the mean over scored positions."""
    return (scored / scored.sum() @ embeddings.astype(np.float64)).astype(np.float32)


def align_by_rows(
    metric: Metric,
    sources: Sequence[str],
    targets: Sequence[str],
    sizes: Sequence[int],
    take: Take,
    store: ContentStore,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Alignment of every source with every target at each number of rows, and the seconds of each set.

    A set with too few rows for a single batch is left out, with a warning. Seconds are counted as for whole matrices: a
    set's own, plus half of each of its comparisons. Stored pieces count with their seconds when they were computed.
    """
    pieces = Pieces(metric, store)
    alignments, costs = [], []
    with pieces.saved():
        for size in sorted(sizes):
            of_size, cost_of_size = _at_size(pieces, sources, targets, size, take)
            alignments += of_size
            costs += cost_of_size
    return (
        pd.DataFrame(alignments, columns=list(ALIGNMENT_TYPES)).astype(ALIGNMENT_TYPES),
        pd.DataFrame(costs, columns=list(COST_TYPES)).astype(COST_TYPES),
    )


def _at_size(
    pieces: Pieces, sources: Sequence[str], targets: Sequence[str], size: int, take: Take
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of both tables at one number of rows."""
    name_of_metric = {"metric": pieces.metric.name}
    batches, featured, seconds = {}, {}, {}
    for name in sorted({*sources, *targets}):
        try:
            batches[name], before = take(name, size)
        except TooFewRows as reason:
            logger.warning("%d rows: %s is left out: %s", size, name, reason)
            continue
        featured[name] = pieces.featured(name, [batches[name]])
        seconds[name] = before + featured[name].seconds
    alignments = []
    for source in filter(featured.__contains__, sources):
        for target in filter(featured.__contains__, targets):
            if featured[source].key == featured[target].key:
                logger.info(
                    "%d rows: %s and %s are the same rows, so they have no value", size, source, target
                )
                continue
            table, cost = pieces.table(featured[source], featured[target])
            seconds[source] += cost / 2
            seconds[target] += cost / 2
            rows = {"source_rows": batches[source].n_rows, "target_rows": batches[target].n_rows}
            pair = {**name_of_metric, "source": source, "target": target, "rows": size}
            alignments.append({**pair, **rows, "alignment": float(table[0, 0])})
    costs = [
        {**name_of_metric, "set": name, "rows": size, "seconds": spent} for name, spent in seconds.items()
    ]
    return alignments, costs

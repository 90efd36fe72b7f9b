"""Alignment of all sets with each other: one metric, every ordered pair, on one scale."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
import pyarrow as pa

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.base import Batch, Metric
from workflow_scripts.metrics.calibration import calibrate
from workflow_scripts.metrics.intervals import Estimate, between_sets, given_source, within_set
from workflow_scripts.metrics.pieces import FeaturedSet, Pieces
from workflow_scripts.storage.content_store import ContentStore
from workflow_scripts.tokens.parts import WHOLE

ALIGNMENT_SCHEMA = pa.schema(
    [
        ("metric", pa.string()),
        ("part", pa.string()),  # of pairs: whole rows, or answers only
        ("source", pa.string()),
        ("target", pa.string()),
        ("alignment", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("floor", pa.float64()),
        ("ceiling", pa.float64()),
        ("calibrated", pa.float64()),
        ("calibrated_low", pa.float64()),
        ("calibrated_high", pa.float64()),
        ("rows", pa.int64()),  # of one batch
        ("tokens", pa.int64()),  # real tokens of one batch, mean of both sides
        ("n_source_batches", pa.int64()),
        ("n_target_batches", pa.int64()),
        ("why_not_calibrated", pa.string()),
    ]
)
COST_SCHEMA = pa.schema(
    [("metric", pa.string()), ("part", pa.string()), ("set", pa.string()), ("seconds", pa.float64())]
)
ALIGNMENT_KEYS = ["metric", "part", "source", "target"]
COST_KEYS = ["metric", "part", "set"]


def align_all(
    metric: Metric,
    sets: Mapping[str, Sequence[Batch]],
    floor_set: str,
    floor_batches: Sequence[Batch],
    store: ContentStore,
    seconds_before: Mapping[str, float],
    whole_sets: Mapping[str, Batch],
    part: str = WHOLE,
) -> tuple[pa.Table, pa.Table]:
    """The alignment table and the cost table of one metric, for the part from which the batches come.

    The seconds of a set are those of its features plus half of each of its comparisons, so sets add up to the cost
    of the whole matrix. Stored pieces count with their seconds when they were computed, and `seconds_before` adds
    the cost of making a set's batches. `whole_sets` has all rows of each set, including the floor, for a metric
    that reads them; otherwise it is empty.
    """
    pieces = Pieces(metric, store)
    everything = {**sets, floor_set: floor_batches}
    featured = {
        name: pieces.featured(name, batches, whole_sets.get(name))
        for name, batches in sorted(everything.items())
    }
    seconds = {name: one.seconds + seconds_before.get(name, 0.0) for name, one in featured.items()}

    def compared(source: FeaturedSet, target: FeaturedSet) -> np.ndarray:
        table, cost = pieces.table(source, target)
        seconds[source.name] += cost / 2
        seconds[target.name] += cost / 2
        return table

    estimates: dict[tuple[str, str], Estimate] = {}
    for source, target in product(featured.values(), repeat=2):
        if floor_set not in sets and floor_set in (source.name, target.name):
            continue
        if metric.symmetric and target.name < source.name:
            continue
        table = compared(source, target)
        if metric.reads_whole_sets():
            estimates[source.name, target.name] = given_source(table)
            continue
        # Source and target batches are the same, so a batch is not paired with itself.
        interval = within_set if source.key == target.key else between_sets
        estimates[source.name, target.name] = interval(table)
        if metric.symmetric:
            estimates[target.name, source.name] = interval(table.T)
    if floor_set in sets:
        floors = {target: estimates[floor_set, target].point for target in sets}
    else:
        floors = {target: float(compared(featured[floor_set], featured[target]).mean()) for target in sets}
    for name, one in featured.items():
        seconds[name] += pieces.whole_seconds(one)
    pieces.log_counts()

    frame = pd.DataFrame(
        {
            "metric": metric.name,
            "part": part,
            "source": source,
            "target": target,
            "alignment": estimate.point,
            "ci_low": estimate.low,
            "ci_high": estimate.high,
            "rows": sets[source][0].n_rows,
            "tokens": round(np.mean([batch.n_tokens for batch in (*sets[source], *sets[target])])),
            "n_source_batches": 1 if metric.reads_whole_sets() else len(sets[source]),
            "n_target_batches": len(sets[target]),
        }
        for (source, target), estimate in sorted(estimates.items())
    )
    frame = calibrate(frame, floors, floor_set, metric.has_scale).sort_values(["source", "target"])
    costs = pd.DataFrame(
        {"metric": metric.name, "part": part, "set": list(seconds), "seconds": list(seconds.values())}
    )
    return (
        pa.Table.from_pandas(frame, schema=ALIGNMENT_SCHEMA, preserve_index=False),
        pa.Table.from_pandas(costs, schema=COST_SCHEMA, preserve_index=False),
    )


def joined(tables: Sequence[pa.Table], order: list[str]) -> pa.Table:
    """Several tables as one, sorted by the columns that identify a row; no row may occur twice."""
    table = pa.concat_tables(tables).sort_by([(column, "ascending") for column in order])
    repeated = table.select(order).to_pandas().duplicated()
    if repeated.any():
        raise UserError(f"given twice: {table.select(order).filter(pa.array(repeated)).to_pylist()[0]}")
    return table

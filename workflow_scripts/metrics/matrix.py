"""Alignment of sets with each other by one metric, on one scale."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.base import Batch, Metric
from workflow_scripts.metrics.calibration import calibrate
from workflow_scripts.metrics.intervals import Estimate, between_sets, given_source, within_set
from workflow_scripts.metrics.pairs import Pairs
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
OF_THE_SCALE = ("floor", "ceiling", "calibrated", "calibrated_low", "calibrated_high", "why_not_calibrated")
WITHOUT_SCALE_SCHEMA = pa.schema([field for field in ALIGNMENT_SCHEMA if field.name not in OF_THE_SCALE])
COST_SCHEMA = pa.schema(
    [("metric", pa.string()), ("part", pa.string()), ("set", pa.string()), ("seconds", pa.float64())]
)
ALIGNMENT_KEYS = ["metric", "part", "source", "target"]
COST_KEYS = ["metric", "part", "set"]


def measured(
    metric: Metric,
    sets: Mapping[str, Sequence[Batch]],
    pairs: Pairs,
    store: ContentStore,
    seconds_before: Mapping[str, float],
    whole_sets: Mapping[str, Batch],
    part: str = WHOLE,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Alignment of pairs without a scale, and the cost of each set, for the part from which the batches come.

    The seconds of a set are those of its features plus half of each of its comparisons, so sets add up to the cost
    of all pairs. A set to which no pair belongs counts only its comparisons. Stored pieces count with their seconds
    when they were computed, and `seconds_before` adds the cost of making a set's batches. `whole_sets` has all rows
    of each source for a metric that reads them; otherwise it is empty.
    """
    pieces = Pieces(metric, store)
    owners, compared = set(pairs.values()), {name for pair in pairs for name in pair}
    featured = {
        name: pieces.featured(name, batches, whole_sets.get(name))
        for name, batches in sorted(sets.items())
        if name in compared
    }
    seconds = dict.fromkeys(featured, 0.0)
    estimates: dict[tuple[str, str], Estimate] = {}
    with pieces.saved():
        for source, target in sorted(pairs):
            if metric.symmetric and (target, source) in estimates:
                continue
            one, other = featured[source], featured[target]
            table, cost = pieces.table(one, other, owner=featured[pairs[source, target]])
            seconds[source] += cost / 2
            seconds[target] += cost / 2
            estimates[source, target] = _estimate(metric, one, other, table)
            if metric.symmetric and (target, source) in pairs:
                estimates[target, source] = _estimate(metric, other, one, table.T)
        for name in sorted(owners):
            seconds[name] += featured[name].seconds + seconds_before.get(name, 0.0)
            seconds[name] += pieces.whole_seconds(featured[name])
    return _frame(metric, part, sets, estimates), pd.DataFrame(
        {"metric": metric.name, "part": part, "set": list(seconds), "seconds": list(seconds.values())}
    )


def _estimate(metric: Metric, source: FeaturedSet, target: FeaturedSet, table: np.ndarray) -> Estimate:
    if metric.reads_whole_sets():
        return given_source(table)
    # If source and target batches are the same, a batch is not paired with itself.
    return within_set(table) if source.key == target.key else between_sets(table)


def _frame(
    metric: Metric,
    part: str,
    sets: Mapping[str, Sequence[Batch]],
    estimates: Mapping[tuple[str, str], Estimate],
) -> pd.DataFrame:
    tokens = {name: sum(batch.n_tokens for batch in batches) for name, batches in sets.items()}
    rows = [
        {
            "metric": metric.name,
            "part": part,
            "source": source,
            "target": target,
            "alignment": estimate.point,
            "ci_low": estimate.low,
            "ci_high": estimate.high,
            "rows": sets[source][0].n_rows,
            "tokens": round((tokens[source] + tokens[target]) / (len(sets[source]) + len(sets[target]))),
            "n_source_batches": 1 if metric.reads_whole_sets() else len(sets[source]),
            "n_target_batches": len(sets[target]),
        }
        for (source, target), estimate in sorted(estimates.items())
    ]
    return pd.DataFrame(rows, columns=WITHOUT_SCALE_SCHEMA.names)


def scaled(frame: pd.DataFrame, sets: Collection[str], floor_set: str, has_scale: bool) -> pd.DataFrame:
    """Alignments of one metric between `sets`, with their scale; `frame` also has those of the floor."""
    parts = []
    for _, of_part in frame.groupby("part", sort=True):
        of_floor = of_part[of_part["source"] == floor_set]
        floors = dict(zip(of_floor["target"], of_floor["alignment"], strict=True))
        kept = of_part[of_part["source"].isin(sets) & of_part["target"].isin(sets)]
        parts.append(calibrate(kept, floors, floor_set, has_scale))
    return pd.concat(parts, ignore_index=True).sort_values(ALIGNMENT_KEYS)


def as_table(frames: Sequence[pd.DataFrame], schema: pa.Schema, order: list[str]) -> pa.Table:
    """Frames of several parts, metrics or blocks as one table."""
    return joined(
        [pa.Table.from_pandas(frame, schema=schema, preserve_index=False) for frame in frames], order
    )


def joined(tables: Sequence[pa.Table], order: list[str]) -> pa.Table:
    """Several tables as one, sorted by the columns that identify a row; no row may occur twice."""
    table = pa.concat_tables(tables).sort_by([(column, "ascending") for column in order])
    repeated = table.select(order).to_pandas().duplicated()
    if repeated.any():
        raise UserError(f"given twice: {table.select(order).filter(pa.array(repeated)).to_pylist()[0]}")
    return table

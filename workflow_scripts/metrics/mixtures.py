"""Alignment of mixtures with targets, computed from their parts without mixing any text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.base import Batch
from workflow_scripts.metrics.intervals import between_sets, given_source
from workflow_scripts.metrics.pieces import FeaturedSet, Pieces
from workflow_scripts.storage.tables import read_frame

MIXTURE_ALIGNMENT_SCHEMA = pa.schema(
    [
        ("metric", pa.string()),
        ("train_set", pa.string()),
        ("eval_set", pa.string()),
        ("alignment", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("how", pa.string()),  # one of the four below
    ]
)
MIXED_ROWS = "mixed rows"  # each batch holds rows of the parts in the mixture's shares
MIXED_BATCHES = "mixed batches"  # weighted mean of features of whole batches, of more rows than a batch has
MEAN_OF_PARTS = "mean of parts"  # of their alignments
EXPERTS = "mixture of experts"  # one model per part, their probabilities weighted: not a model of mixed text

LARGEST_ROUNDING = 0.01
"""Tolerance of the sum of shares, because published ones are rounded; shares are then divided by their sum."""


@dataclass(frozen=True)
class Mixtures:
    """Shares of tokens: one row per mixture, one column per part."""

    names: list[str]
    shares: np.ndarray


def read_mixtures(paths: Sequence[str | Path], parts: Sequence[str]) -> Mixtures:
    """Parquet tables with columns train_set, corpus and share; corpora missing from a mixture have share 0.

    Several tables may contain the same mixture, with the same shares.
    """
    path = " and ".join(map(str, paths))
    tables = [read_frame(one, ["train_set", "corpus", "share"]) for one in paths]
    # The first table with a mixture is used; a repetition within one table is a mistake.
    named: set[str] = set()
    for i, one in enumerate(tables):
        tables[i] = one[~one["train_set"].isin(named)]
        named |= set(one["train_set"])
    table = pd.concat(tables, ignore_index=True)
    unknown = sorted(set(table["corpus"]) - set(parts))
    if unknown:
        raise UserError(
            f"{path} mixes {unknown[0]}, which is not among the parts ({', '.join(sorted(parts))})"
        )
    repeated = table[table.duplicated(["train_set", "corpus"])]
    if len(repeated):
        first = repeated.iloc[0]
        raise UserError(f"{path} gives the share of {first['corpus']} in {first['train_set']} twice")
    missing = table[table["share"].isna()]
    if len(missing):
        first = missing.iloc[0]
        raise UserError(f"{path} gives no share of {first['corpus']} in {first['train_set']}")
    wide = table.pivot(index="train_set", columns="corpus", values="share").reindex(columns=list(parts))
    shares = wide.fillna(0.0).to_numpy(dtype=float)
    for name, row in zip(wide.index, shares, strict=True):
        if row.min() < 0 or abs(row.sum() - 1) > LARGEST_ROUNDING:
            raise UserError(
                f"{path}: the shares of {name} add up to {row.sum():.4f}; they must not be negative and must sum to 1"
            )
    return Mixtures([str(name) for name in wide.index], shares / shares.sum(axis=1, keepdims=True))


def mixed_units(shares: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Whether each batch of each mixture contains a unit: bool, (mixtures, batches, parts, units).

    `tokens` (parts, batches, units) counts the real tokens of each unit. As in `tokens.mixture.mix`, the part that is
    furthest below its share of the tokens so far gives the next unit, so rounding evens out over the batches.
    A mixture's batch takes units of the same batch of its parts, in their order.
    """
    n_parts, batches, units = tokens.shape
    mixtures = np.arange(len(shares))
    given = np.zeros_like(shares)
    chosen = np.zeros((len(shares), batches, n_parts, units), dtype=bool)
    for batch in range(batches):
        taken = np.zeros(shares.shape, dtype=int)
        for _ in range(units):
            lag = shares * (given.sum(axis=1, keepdims=True) + 1) - given
            part = np.where(shares > 0, lag, -np.inf).argmax(axis=1)
            unit = taken[mixtures, part]
            chosen[mixtures, batch, part, unit] = True
            given[mixtures, part] += tokens[part, batch, unit]
            taken[mixtures, part] += 1
    return chosen


def align_mixtures(
    pieces: Pieces,
    mixtures: Mixtures,
    parts: Mapping[str, Sequence[Batch]],
    targets: Mapping[str, Sequence[Batch]],
) -> pa.Table:
    """Alignment of every mixture with every target.

    Parts are in the order of the columns of `shares`. If the metric mixes exactly, a part has, for each batch of a
    target, as many units as fit into a batch: single rows, or embeddings of some rows. Otherwise it has the batches
    that the metric compares, or one batch of the whole set if the metric reads whole sets.
    """
    featured = {name: pieces.featured(name, batches) for name, batches in targets.items()}
    with pieces.saved():
        if pieces.metric.mixes == "exact":
            n_batches = len(next(iter(targets.values())))
            tables, how = _from_units(pieces, mixtures.shares, parts, list(featured.values()), n_batches)
        elif pieces.metric.mixes == "experts":
            tables, how = _from_experts(pieces, mixtures.shares, parts, list(featured.values()))
        else:
            tables, how = _from_alignments(pieces, mixtures.shares, parts, list(featured.values()))
    records = []
    for target, table in zip(featured, tables, strict=True):
        for name, pairs in zip(mixtures.names, table, strict=True):
            estimate = given_source(pairs) if how == EXPERTS else between_sets(pairs)
            records.append(
                (pieces.metric.name, name, target, estimate.point, estimate.low, estimate.high, how)
            )
    frame = pd.DataFrame(records, columns=MIXTURE_ALIGNMENT_SCHEMA.names)
    return pa.Table.from_pandas(
        frame.sort_values(["train_set", "eval_set"]), schema=MIXTURE_ALIGNMENT_SCHEMA, preserve_index=False
    )


def _from_units(
    pieces: Pieces,
    shares: np.ndarray,
    parts: Mapping[str, Sequence[Batch]],
    targets: Sequence[FeaturedSet],
    n_batches: int,
) -> tuple[list[np.ndarray], str]:
    """For each target, alignments (mixtures, source batches, target batches) of batches assembled from units."""
    features = [pieces.unit_features(units) for units in parts.values()]
    tokens = np.array([[unit.n_tokens for unit in units] for units in parts.values()], dtype=float)
    tokens = tokens.reshape(len(parts), n_batches, -1)
    units = tokens.shape[2]
    by_tokens = pieces.metric.mixes_by == "tokens"
    everything = [one for target in targets for one in target.features]
    pairs = []
    chosen = mixed_units(shares, tokens) if units > 1 else None
    for batch in range(n_batches):
        held = [one for part in features for one in part[batch * units : (batch + 1) * units]]
        if chosen is None:
            weights = shares
        else:
            weights = chosen[:, batch].reshape(len(shares), -1).astype(float)
            if by_tokens:
                weights *= tokens[:, batch].reshape(-1)
                weights /= weights.sum(axis=1, keepdims=True)
        pairs.append(pieces.metric.mixture_table(held, weights, everything))
    table = np.stack(pairs, axis=1)
    ends = np.cumsum([len(target.features) for target in targets])[:-1]
    return np.split(table, ends, axis=2), MIXED_BATCHES if chosen is None else MIXED_ROWS


def _from_experts(
    pieces: Pieces,
    shares: np.ndarray,
    parts: Mapping[str, Sequence[Batch]],
    targets: Sequence[FeaturedSet],
) -> tuple[list[np.ndarray], str]:
    """For each target, one row of its batches per mixture; one part's model is in memory at a time."""
    metric = pieces.metric
    read: list[list[list[np.ndarray]]] = [[[] for _ in target.features] for target in targets]
    for (whole,) in parts.values():
        model = metric.features(whole)
        for target, of_target in zip(targets, read, strict=True):
            for batch, of_batch in zip(target.features, of_target, strict=True):
                of_batch.append(metric.expert(model, batch))
    tables = []
    for target, of_target in zip(targets, read, strict=True):
        scores = [
            metric.score(shares @ np.stack(experts), batch)
            for experts, batch in zip(of_target, target.features, strict=True)
        ]
        tables.append(np.stack(scores, axis=1)[:, None, :])
    return tables, EXPERTS


def _from_alignments(
    pieces: Pieces,
    shares: np.ndarray,
    parts: Mapping[str, Sequence[Batch]],
    targets: Sequence[FeaturedSet],
) -> tuple[list[np.ndarray], str]:
    """For each target, the weighted mean of the parts' tables of pairs."""
    sources = [pieces.featured(name, batches) for name, batches in parts.items()]
    tables = []
    for target in targets:
        of_parts = np.stack([pieces.table(source, target)[0] for source in sources])
        tables.append(np.tensordot(shares, of_parts, axes=1))
    return tables, MEAN_OF_PARTS

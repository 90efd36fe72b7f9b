"""Embeds sets with every variant of `fisher/switches.py`, and aligns train with eval sides."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from transformers import PreTrainedModel

from workflow_scripts.fisher.batch_cache import BatchCache
from workflow_scripts.fisher.distance import distance_matrix
from workflow_scripts.fisher.estimator import Settings
from workflow_scripts.fisher.switches import Embedded, Layout, variants
from workflow_scripts.storage.content_store import ContentStore
from workflow_scripts.tokens.rows import Rows, joined

MICROBATCH = 8


@dataclass(frozen=True)
class Drawing:
    """Parameters that all variants share."""

    head_epochs: int
    seed: int
    precision: str
    end_of_text: int


def embedded_sets(
    model: PreTrainedModel,
    drawn: Mapping[tuple[str, str], list[Rows]],
    names: Sequence[str],
    drawing: Drawing,
    store: ContentStore,
) -> tuple[dict[Embedded, dict[str, np.ndarray]], dict[Embedded, float]]:
    """Embeddings (batches, coordinates) of every set and their seconds, for everything that must be embedded."""
    wanted = list(dict.fromkeys(variant.embedded for variant in variants()))
    rows, settings = [], []
    for embedded in wanted:
        for name in names:
            for number, batch in enumerate(drawn[embedded.layout, name]):
                # As released, batches of the same rows still differ in their label draws.
                again = embedded.same_batches
                rows.append(drawn[embedded.layout, name][0] if again else batch)
                seed = drawing.seed + (number if again else 0)
                settings.append(
                    Settings(
                        embedded.estimator, drawing.head_epochs, seed, drawing.precision, drawing.end_of_text
                    )
                )
    starts = np.cumsum([0, *(len(batch) for batch in rows)])
    places = [np.arange(start, stop) for start, stop in itertools.pairwise(starts)]
    done = BatchCache.of(model, store).embed_in_turn(joined(rows), places, settings, MICROBATCH)
    embeddings: dict[Embedded, dict[str, np.ndarray]] = {}
    seconds: dict[Embedded, float] = {}
    for embedded in wanted:
        batches = {name: [next(done) for _ in drawn[embedded.layout, name]] for name in names}
        embeddings[embedded] = {
            name: np.stack([batch.embedding for batch in own]) for name, own in batches.items()
        }
        seconds[embedded] = sum(batch.seconds for own in batches.values() for batch in own)
    return embeddings, seconds


def alignment_table(
    embeddings: Mapping[Embedded, Mapping[str, np.ndarray]],
    remarks: Mapping[tuple[str | None, Layout], str],
) -> pa.Table:
    """Alignment, 1 - distance, of every batch of a train side with every batch of an eval side."""
    schema = pa.schema(
        [
            ("end", pa.string()),
            ("switch", pa.string()),
            ("is_corrected", pa.bool_()),
            ("train_set", pa.string()),
            ("eval_set", pa.string()),
            ("source_batch", pa.int32()),
            ("target_batch", pa.int32()),
            ("alignment", pa.float64()),
            ("note", pa.string()),
        ]
    )
    rows = [
        {
            "end": variant.end,
            "switch": variant.switch,
            "is_corrected": variant.is_corrected,
            "note": remarks.get((variant.switch, variant.embedded.layout), ""),
            **pair,
        }
        for variant in variants()
        for pair in pairs(embeddings[variant.embedded], variant.epsilon)
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def pairs(sets: Mapping[str, np.ndarray], epsilon: float | None) -> Iterator[dict[str, Any]]:
    for train_set in (name for name in sets if name.endswith(".train")):
        for eval_set in (name for name in sets if name.endswith(".eval")):
            alignment = 1 - distance_matrix(sets[train_set], sets[eval_set], epsilon)
            for source, line in enumerate(alignment.tolist()):
                for target, value in enumerate(line):
                    yield {
                        "train_set": train_set.removesuffix(".train"),
                        "eval_set": eval_set.removesuffix(".eval"),
                        "source_batch": source,
                        "target_batch": target,
                        "alignment": value,
                    }

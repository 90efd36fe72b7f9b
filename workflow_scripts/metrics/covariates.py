"""Simple facts of a source, a target, or both, which could explain a loss instead of alignment."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from workflow_scripts.metrics.token_counts import real_tokens
from workflow_scripts.models.digests import model_digest
from workflow_scripts.models.loading import load_reader
from workflow_scripts.models.reading import mean_loss
from workflow_scripts.storage.content_store import ContentStore, content_key
from workflow_scripts.tokens.rows import Rows, count_documents, count_tokens
from workflow_scripts.training.devices import held_device

logger = logging.getLogger(__name__)

COVARIATE_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("target", pa.string()),
        ("token_jaccard", pa.float64()),
        ("source_document_length", pa.float64()),
        ("target_document_length", pa.float64()),
        ("source_entropy", pa.float64()),
        ("zero_shot_loss", pa.float64()),
        ("source_tokens", pa.int64()),
    ]
)


@dataclass(frozen=True)
class SetFacts:
    """The facts of one set from which covariates are computed."""

    token_ids: np.ndarray  # distinct ids in the compared rows
    entropy: float
    document_length: float | None  # mean tokens, with the end-of-text token
    tokens: int
    loss: float


def facts_of(path: Path, compared: Rows, loss: float) -> SetFacts:
    """Document length and size come from the whole set, the rest from the rows that the metrics compare."""
    ids, counts = np.unique(real_tokens(compared.input_ids, compared.n_tokens), return_counts=True)
    p = counts / counts.sum()
    tokens, documents = count_tokens(path), count_documents(path)
    length = tokens / documents if documents else None  # random rows name no documents
    return SetFacts(ids, float(-(p * np.log(p)).sum()), length, tokens, loss)


def probe_losses(
    compared: Mapping[str, Rows], probe: Path, store: ContentStore, device: str = "cpu"
) -> dict[str, float]:
    """The probe's loss on the compared rows of each set, stored under a hash of its inputs."""
    weights = model_digest(probe)
    losses, model = {}, None
    for name, rows in compared.items():
        key = content_key(piece="loss", probe=weights, input_ids=rows.input_ids, n_tokens=rows.n_tokens)
        kept = store.get(key)
        if kept is None:
            model = model or load_reader(probe, held_device(device))
            kept = {"loss": np.array([mean_loss(model, rows)])}
            store.put(key, kept)
            logger.info("%s: the probe's loss is %.4f", name, kept["loss"][0])
        losses[name] = float(kept["loss"][0])
    return losses


def covariate_table(facts: Mapping[str, SetFacts]) -> pa.Table:
    """One row for every ordered pair of sets."""
    records = [
        {
            "source": source,
            "target": target,
            "token_jaccard": jaccard(facts[source].token_ids, facts[target].token_ids),
            "source_document_length": facts[source].document_length,
            "target_document_length": facts[target].document_length,
            "source_entropy": facts[source].entropy,
            "zero_shot_loss": facts[target].loss,
            "source_tokens": facts[source].tokens,
        }
        for source in sorted(facts)
        for target in sorted(facts)
    ]
    return pa.Table.from_pylist(records, schema=COVARIATE_SCHEMA)


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """Distinct ids on both sides, divided by distinct ids on either side."""
    both = len(np.intersect1d(first, second, assume_unique=True))
    return both / (len(first) + len(second) - both)

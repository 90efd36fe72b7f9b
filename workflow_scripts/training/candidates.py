"""The models of an evaluation. Each is scored once; earlier results come from the store."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workflow_scripts.models.digests import library_versions, model_digest, weights_digest
from workflow_scripts.models.loading import load_model
from workflow_scripts.storage.content_store import ContentStore, content_key
from workflow_scripts.storage.seals import DamagedFile
from workflow_scripts.storage.tables import read_json
from workflow_scripts.training.evaluation import EvaluationSet, loss_rows, score
from workflow_scripts.training.losses import UNTRAINED

logger = logging.getLogger(__name__)

COLUMNS = ["train_set", "eval_set", "part", "tokens", "seed", "doc_id", "nll", "n_tokens", "n_bytes"]


@dataclass(frozen=True, order=True)
class Candidate:
    """A model to be scored."""

    train_set: str
    tokens: int
    seed: int
    folder: Path
    weights: str | None = None
    """SHA-256 from the manifest; None if there is no manifest."""


def list_candidates(manifests: Iterable[Path], base: Path | None) -> list[Candidate]:
    """The models of all manifests, and the untrained base, if any. Paths are relative to the manifest's folder.

    They are sorted, so the order of the manifests does not matter.
    """
    listed = [] if base is None else [Candidate(UNTRAINED, 0, 0, base)]
    for manifest in manifests:
        for model in read_json(manifest)["models"]:
            folder = manifest.parent / model["path"]
            listed.append(
                Candidate(model["train_set"], model["tokens"], model["seed"], folder, model["weights_sha256"])
            )
    return sorted(listed)


def losses_of(
    candidates: Sequence[Candidate],
    evaluation_set: EvaluationSet,
    name: str,
    store: ContentStore,
    device: str,
    threads: int,
) -> tuple[pd.DataFrame, list[float]]:
    """The losses of every candidate on every document, and the seconds of those that were not in the store.

    The key includes device, threads and versions, because they affect the last digits.
    """
    frames, seconds = [], []
    circumstances = {"device": device, "threads": threads, "versions": library_versions()}
    evaluation_digest = evaluation_set.digest()
    for candidate in candidates:
        _check_weights(candidate)
        key = content_key(
            model=model_digest(candidate.folder),
            evaluation_set=evaluation_digest,
            circumstances=circumstances,
        )
        totals = store.get(key)
        if totals is None:
            start = time.monotonic()
            totals = score(load_model(candidate.folder), evaluation_set, device)
            store.put(key, totals)
            seconds.append(time.monotonic() - start)
        frame = loss_rows(evaluation_set, totals)
        frames.append(
            frame.assign(
                train_set=candidate.train_set, eval_set=name, tokens=candidate.tokens, seed=candidate.seed
            )
        )
    logger.info("%s: computed %d, reused %d", name, len(seconds), len(frames) - len(seconds))
    return pd.concat(frames, ignore_index=True)[COLUMNS], seconds


def _check_weights(candidate: Candidate) -> None:
    if candidate.weights is not None and weights_digest(candidate.folder) != candidate.weights:
        raise DamagedFile(
            f"{candidate.folder} has other weights than its manifest says: delete the folder of the "
            "manifest and run the same command again, which trains the models again"
        )

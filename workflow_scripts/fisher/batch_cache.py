"""Embeds the batches of sets one after another, and stores each under a hash of its content when it is finished."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from transformers import PreTrainedModel

from workflow_scripts.fisher.capture import Route, survey
from workflow_scripts.fisher.embedding import ARITHMETIC, measure
from workflow_scripts.fisher.estimator import Settings
from workflow_scripts.fisher.hardware import halved_until_it_fits
from workflow_scripts.fisher.layout import EXPERTS, layout
from workflow_scripts.fisher.reading import Batch
from workflow_scripts.models.digests import state_digest
from workflow_scripts.storage.content_store import ContentStore, content_key
from workflow_scripts.tokens.rows import Rows

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmbeddedBatch:
    """One finished batch."""

    row_ids: list[str]
    n_scored: int
    embedding: np.ndarray  # float32
    draw_variance: np.ndarray
    """Per module, summed over its coordinates: the embedding's variance due to label draws."""
    seconds: float  # measured when it was computed
    is_kept: bool  # True if it came from the store


@dataclass(frozen=True)
class BatchCache:
    """A probe with what all of its batches share, and the store of those that are finished."""

    model: PreTrainedModel
    store: ContentStore
    digest: str
    route: Route
    modules: list[slice]
    """Coordinates of each module."""
    has_experts: bool

    @classmethod
    def of(cls, model: PreTrainedModel, store: ContentStore) -> "BatchCache":
        modules = layout(model)
        return cls(
            model,
            store,
            state_digest(model),
            survey(model),
            [coordinates for _, _, coordinates in modules],
            any(kind == EXPERTS for _, kind, _ in modules),
        )

    def embed_in_turn(
        self,
        rows: Rows,
        batches: Sequence[np.ndarray],
        settings: Sequence[Settings],
        microbatch: int,
        answers: bool = False,
    ) -> Iterator[EmbeddedBatch]:
        """Embed each batch of row numbers with its settings, or take it from the store; progress goes to the log.

        With `answers`, only the answers of pairs are scored.
        """
        started, tokens_done, tokens_left = (
            time.perf_counter(),
            0,
            sum(rows.n_tokens[index].sum() for index in batches),
        )
        for number, (index, setting) in enumerate(zip(batches, settings, strict=True), start=1):
            batch = rows.take(index)
            tokens = int(batch.n_tokens.sum())
            tokens_left -= tokens
            # Text without prompts is all answer, so both parts share one key.
            scored = batch.loss_mask if answers and batch.have_prompts else None
            key = content_key(
                arithmetic=ARITHMETIC,
                probe=self.digest,
                input_ids=batch.input_ids,
                n_tokens=batch.n_tokens,
                row_ids=batch.row_ids,
                settings=asdict(setting),
                **({} if scored is None else {"answers": scored}),
                # Versions before this one gave an expert one coordinate.
                **({"experts": "by row"} if self.has_experts else {}),
            )
            found = self.store.get(key)
            is_kept = found is not None
            if found is None:
                compute = partial(self._computed, batch, setting, scored)
                computed, microbatch = halved_until_it_fits(compute, microbatch)
                self.store.put(key, computed)
                found = computed
                tokens_done += tokens
            if is_kept:
                logger.info("batch %d of %d: found in the store", number, len(batches))
            else:
                rate = tokens_done / (time.perf_counter() - started)
                logger.info(
                    "batch %d of %d: %.0f tokens/s, at most %.0f s left",
                    number,
                    len(batches),
                    rate,
                    tokens_left / rate,
                )
            yield EmbeddedBatch(
                row_ids=batch.row_ids,
                n_scored=int(found["n_scored"][0]),
                embedding=found["embedding"],
                draw_variance=found["draw_variance"],
                seconds=float(found["seconds"][0]),
                is_kept=is_kept,
            )

    def _computed(
        self, rows: Rows, settings: Settings, scored: np.ndarray | None, microbatch: int
    ) -> dict[str, np.ndarray]:
        started = time.perf_counter()
        batch = Batch.of(
            torch.from_numpy(rows.input_ids),
            torch.from_numpy(rows.attention_mask),
            row_ids=rows.row_ids,
            answers=None if scored is None else torch.from_numpy(scored),
        )
        measured = measure(self.model, batch, settings, microbatch, self.route)
        draws = len(measured.by_draw)
        variance = torch.full_like(measured.embedding, torch.nan)  # one draw has no variance
        if draws > 1:
            variance = measured.by_draw.double().var(0) / draws
        return {
            "embedding": measured.embedding.numpy(),
            "draw_variance": np.array([float(variance[coordinates].sum()) for coordinates in self.modules]),
            "n_scored": np.array([measured.n_scored]),
            "seconds": np.array([time.perf_counter() - started]),
        }

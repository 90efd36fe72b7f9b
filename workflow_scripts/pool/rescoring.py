"""A second score for the rows that n-grams kept: too slow for the whole pool, it orders a shortlist."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

import numpy as np

from workflow_scripts.pool.best_rows import best
from workflow_scripts.pool.reading import Part
from workflow_scripts.pool.rows import PoolEntry, text_of
from workflow_scripts.pool.spill import portions_of, unpack
from workflow_scripts.texts.progress import Progress

logger = logging.getLogger(__name__)


class TextScorer(Protocol):
    """Scores texts one by one."""

    @property
    def rule(self) -> str:
        """Description of the score, for the card of the chosen rows."""

    def score(self, text: bytes) -> float:
        """Higher is nearer to the target."""


Fit: TypeAlias = Callable[[Sequence[bytes], Sequence[bytes]], TextScorer]
"""Makes the scorer from texts of the target and of the pool."""


def rescored(
    parts: Sequence[Part], entries: Sequence[PoolEntry], scorer: TextScorer, limit: int
) -> list[Part]:
    """The best rows of all parts up to `limit` bytes of text by their first score, with their second score."""
    for number, part in enumerate(parts):
        part.index["part"] = number
    index, is_cut = best(np.concatenate([part.index for part in parts]), limit)
    readers = [entry.reader() for entry in entries]
    progress = Progress("shortlist", int(index["bytes"].sum()))
    done, found = 0, []
    for number, part in enumerate(parts):
        own = np.sort(index[index["part"] == number], order="key")
        for rows in portions_of(part.path) if part.path else ():
            places = np.searchsorted(own["key"], [key for key, _ in rows])
            for place, (key, packed) in zip(places, rows, strict=True):
                if place == len(own) or own["key"][place] != key:
                    continue
                name, columns = unpack(packed)
                text = text_of(readers[own["source"][place]], name, columns, Counter())
                assert text is not None  # only rows with text are kept
                own["score"][place] = scorer.score(text)
                done += len(text)
                progress.at(done)
        found.append(replace(part, index=own, is_cut=part.is_cut or is_cut))
    logger.info("%d rows of the shortlist have their second score", len(index))
    return found

"""Choose the rows of a pool that are nearest to a target: one pass, then the best rows without copies."""

import logging
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.errors import UserError
from workflow_scripts.pool import importance
from workflow_scripts.pool.choosing import Chosen, choose
from workflow_scripts.pool.leaks import LeakFinder
from workflow_scripts.pool.reading import Part, Tally, read_pool
from workflow_scripts.pool.rescoring import Fit, rescored
from workflow_scripts.pool.rows import PoolEntry
from workflow_scripts.pool.sampling import sampled_texts
from workflow_scripts.pool.survey import why_empty
from workflow_scripts.pool.target import Target

logger = logging.getLogger(__name__)

_FIRST_SLACK = 2
"""Bytes of text that are kept for each wanted byte, because some rows are near-copies."""

_MORE_SLACK = 4
"""Factor by which more are kept if that was too little."""


@dataclass(frozen=True)
class Request:
    tokens: int
    bytes_per_token: float
    seed: int
    processes: int

    @property
    def bytes(self) -> int:
        return math.ceil(self.tokens * self.bytes_per_token)

    def tokens_of(self, text_bytes: int) -> int:
        return round(text_bytes / self.bytes_per_token)


@dataclass(frozen=True)
class Shortlist:
    """Rows that get a second score."""

    fit: Fit
    budgets: float
    """How many times the wanted bytes of text it has, by the first score."""


@dataclass(frozen=True)
class Selection:
    chosen: Chosen
    tally: Tally
    score_rule: str
    passes: int
    is_rescored: bool


def select(
    entries: Sequence[PoolEntry],
    target: Target,
    request: Request,
    folder: Path,
    shortlist: Shortlist | None = None,
) -> Selection:
    """`entries` are in the order of their names; `folder` is for temporary files."""
    started = time.perf_counter()
    scorer, rule = importance.fit(target.texts, sampled_texts(entries, request.seed)), importance.RULE
    second = None
    if shortlist is not None:
        second = shortlist.fit(target.texts, list(sampled_texts(entries, request.seed)))
        rule = f"{second.rule}, among the best {shortlist.budgets:g} budgets of text by the {rule}"
    finder = LeakFinder(target.words)
    passes, limit = 0, math.ceil((shortlist.budgets if shortlist else _FIRST_SLACK) * request.bytes)
    while True:
        passes += 1
        own = folder / f"pass-{passes}"
        own.mkdir()
        parts = read_pool(entries, scorer, finder, limit, request.processes, own)
        tally = _together(parts)
        _refuse_nothing(parts, tally)
        if second is not None:
            parts = rescored(parts, entries, second, limit)
        chosen = choose(parts, entries, request.bytes, limit, own)
        if chosen.is_full or not chosen.is_cut:
            break
        limit *= _MORE_SLACK
        logger.warning(
            "most of the best rows are near-copies; reading the pool again, keeping %d times the budget",
            limit // request.bytes,
        )
        shutil.rmtree(own)
    logger.info("%.1f MB/s", tally.bytes.total() / (time.perf_counter() - started) / 1e6)
    return Selection(chosen, tally, rule, passes, second is not None)


def _together(parts: Sequence[Part]) -> Tally:
    tally = Tally()
    for part in parts:
        tally.add(part.tally)
    return tally


def _refuse_nothing(parts: Sequence[Part], tally: Tally) -> None:
    if any(len(part.index) for part in parts):
        return
    if tally.leaking_rows:
        raise UserError(
            "every row of the pool repeats a row of the target, so none may be chosen; give a pool of other text"
        )
    raise UserError(f"pool: {why_empty(+tally.skipped)}")

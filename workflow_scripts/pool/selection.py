"""Choose the rows of a pool that are nearest to a target: one pass, then the best rows that are no copies."""

import logging
import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.errors import UserError
from workflow_scripts.pool import importance, leaks, near_copies
from workflow_scripts.pool.choosing import Chosen, choose
from workflow_scripts.pool.leaks import LeakFinder
from workflow_scripts.pool.reading import Part, Tally, read_pool
from workflow_scripts.pool.rows import PoolEntry
from workflow_scripts.pool.sampling import sampled_texts
from workflow_scripts.pool.survey import why_empty
from workflow_scripts.pool.target import Target

logger = logging.getLogger(__name__)

_FIRST_SLACK = 2
"""Bytes of text that are kept for each byte wanted, since some are near-copies. Doubled where it was too little."""

_QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.99)


def select(
    entries: Sequence[PoolEntry],
    target: Target,
    tokens: int,
    bytes_per_token: float,
    seed: int,
    processes: int,
    folder: Path,
) -> tuple[Chosen, dict[str, Any]]:
    """The chosen rows and the summary; `folder` is for what is kept on the way."""
    started = time.perf_counter()
    entries = sorted(entries, key=lambda entry: entry.name)
    budget = math.ceil(tokens * bytes_per_token)
    scorer = importance.fit(target.texts, sampled_texts(entries, seed))
    finder = LeakFinder(target.words)
    fitted = time.perf_counter()
    slack, passes, reading_seconds = _FIRST_SLACK, 0, 0.0
    while True:
        passes += 1
        own = folder / f"pass-{passes}"
        own.mkdir()
        pass_started = time.perf_counter()
        parts = read_pool(entries, scorer, finder, slack * budget, processes, own)
        reading_seconds = time.perf_counter() - pass_started
        tally = _together(parts)
        _refuse_nothing(parts, tally)
        chosen = choose(parts, entries, budget, slack * budget, own)
        if chosen.is_full or not chosen.is_cut:
            break
        logger.warning(
            "near-copies are more than half of the best rows, so the pool is read again for %d times the budget",
            2 * slack,
        )
        shutil.rmtree(own)
        slack *= 2
    held = int(chosen.index["bytes"].sum())
    notes = []
    if not chosen.is_full:
        notes.append(
            f"The pool has {round(held / bytes_per_token):,} tokens that can be chosen, fewer than the {tokens:,} "
            "asked for: all of them are chosen."
        )
    is_nearer = chosen.index["score"] > 0
    if not is_nearer.all():
        nearer = round(int(chosen.index["bytes"][is_nearer].sum()) / bytes_per_token)
        notes.append(
            f"{int((~is_nearer).sum()):,} of the chosen rows have a score of 0 or less: their words are likelier in "
            f"the pool than in the target; a budget of {nearer:,} tokens leaves them out."
        )
    if chosen.sampled_share < 1:
        notes.append(
            f"Near-copies were looked for with a sample of {chosen.sampled_share:.2%} of all word 5-grams."
        )
    seconds = time.perf_counter() - started
    summary = {
        "rows": tally.rows.total(),
        "bytes": tally.bytes.total(),
        "words": tally.words,
        "files": sum(len(entry.files) for entry in entries),
        "skipped": {why: count for why, count in tally.skipped.items() if count},
        "target": {"rows": len(target.texts), "words": len(target.words.hashes)},
        "budget": tokens,
        "bytes_per_token": bytes_per_token,
        "is_full": chosen.is_full,
        "chosen": {"rows": len(chosen.index), "tokens": round(held / bytes_per_token), "bytes": held},
        "duplicates": {"equal": int((chosen.index["copies"] - 1).sum()), "near": chosen.near_copies},
        "leaks": {"rows": tally.leaking_rows, "target_rows": len(tally.leaked)},
        "scores": {
            "pool": {str(share): tally.score_quantile(share) for share in _QUANTILES},
            "chosen": {str(share): float(np.quantile(chosen.index["score"], share)) for share in _QUANTILES},
        },
        "sources": _sources(entries, tally, chosen, bytes_per_token),
        "rules": {"score": scorer.rule, "leaks": leaks.RULE, "near_copies": near_copies.RULE},
        "notes": notes,
        "seed": seed,
        "processes": processes,
        "passes": passes,
        "seconds": {
            "fit": round(fitted - started, 3),
            "read": round(reading_seconds, 3),
            "total": round(seconds, 3),
        },
        "mb_per_second": round(tally.bytes.total() / seconds / 1e6, 3),
    }
    for note in notes:
        logger.warning(note)
    return chosen, summary


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
            "every row of the pool repeats a row of the target, so none may be chosen; give other text to choose from"
        )
    raise UserError(f"pool: {why_empty(+tally.skipped)}")


def _sources(
    entries: Sequence[PoolEntry], tally: Tally, chosen: Chosen, bytes_per_token: float
) -> dict[str, dict[str, Any]]:
    total = max(int(chosen.index["bytes"].sum()), 1)
    described = {}
    for number, entry in enumerate(entries):
        sizes = chosen.index["bytes"][chosen.index["source"] == number]
        described[entry.name] = {
            "rows": tally.rows[entry.name],
            "bytes": tally.bytes[entry.name],
            "chosen_rows": len(sizes),
            "chosen_tokens": round(int(sizes.sum()) / bytes_per_token),
            "share": int(sizes.sum()) / total,
            "licence": str(entry.spec.get("licence", "not stated")),
        }
    return described

"""Summary of a selection, as numbers and sentences."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from workflow_scripts.pool import leaks, near_copies
from workflow_scripts.pool.rows import PoolEntry
from workflow_scripts.pool.selection import Request, Selection
from workflow_scripts.pool.target import Target

_QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.99)


def summary_of(
    selection: Selection, entries: Sequence[PoolEntry], target: Target, request: Request
) -> dict[str, Any]:
    """`entries` are in the order of their names."""
    tally, index = selection.tally, selection.chosen.index
    held = int(index["bytes"].sum())
    total_bytes = tally.bytes.total()
    return {
        "rows": tally.rows.total(),
        "bytes": total_bytes,
        "words": tally.words,
        "files": sum(len(entry.files) for entry in entries),
        "skipped": dict(+tally.skipped),
        "target": {"rows": len(target.texts), "words": len(target.words.hashes)},
        "budget": request.tokens,
        "bytes_per_token": request.bytes_per_token,
        "is_full": selection.chosen.is_full,
        "chosen": {"rows": len(index), "tokens": request.tokens_of(held), "bytes": held},
        "duplicates": {"equal": int((index["copies"] - 1).sum()), "near": selection.chosen.near_copies},
        "leaks": {"rows": tally.leaking_rows, "target_rows": len(tally.leaked)},
        "scores": {
            # Only the shortlist has the second score.
            **(
                {}
                if selection.is_rescored
                else {"pool": {str(share): tally.score_quantile(share) for share in _QUANTILES}}
            ),
            "chosen": {str(share): float(np.quantile(index["score"], share)) for share in _QUANTILES},
        },
        "sources": {
            entry.name: _source(selection, number, entry, request) for number, entry in enumerate(entries)
        },
        "rules": {"score": selection.score_rule, "leaks": leaks.RULE, "near_copies": near_copies.RULE},
        "notes": _notes(selection, request),
        "seed": request.seed,
        "passes": selection.passes,
    }


def _source(selection: Selection, number: int, entry: PoolEntry, request: Request) -> dict[str, Any]:
    index = selection.chosen.index
    sizes = index["bytes"][index["source"] == number]
    return {
        "rows": selection.tally.rows[entry.name],
        "bytes": selection.tally.bytes[entry.name],
        "chosen_rows": len(sizes),
        "chosen_tokens": request.tokens_of(int(sizes.sum())),
        "share": int(sizes.sum()) / int(index["bytes"].sum()),
        "licence": str(entry.spec.get("licence", "not stated")),
    }


def _notes(selection: Selection, request: Request) -> list[str]:
    index, notes = selection.chosen.index, []
    if not selection.chosen.is_full:
        notes.append(
            f"The pool has {request.tokens_of(int(index['bytes'].sum())):,} tokens that can be chosen, fewer than the "
            f"{request.tokens:,} requested; all of them are chosen."
        )
    is_nearer = index["score"] > 0
    if not selection.is_rescored and not is_nearer.all():
        nearer = request.tokens_of(int(index["bytes"][is_nearer].sum()))
        notes.append(
            f"{int((~is_nearer).sum()):,} of the chosen rows have a score of 0 or less: their words are likelier in "
            f"the pool than in the target; a budget of {nearer:,} tokens leaves them out."
        )
    if selection.chosen.sampled_share < 1:
        notes.append(
            f"Near-copies were searched with a sample of {selection.chosen.sampled_share:.2%} of all word 5-grams."
        )
    return notes

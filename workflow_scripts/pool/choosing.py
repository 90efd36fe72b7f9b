"""Choose from the best rows of a pool: drop near-copies until the budget is used."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.pool.best_rows import Index, best, portions_by_bytes
from workflow_scripts.pool.near_copies import NearCopies
from workflow_scripts.pool.reading import Part
from workflow_scripts.pool.rows import BATCH_BYTES, BATCH_ROWS, PoolEntry, text_of
from workflow_scripts.pool.spill import PORTION_BYTES, Spill, portions_of, unpack
from workflow_scripts.texts.words import find_words

_BUCKET_BYTES = 64 << 20


@dataclass(frozen=True)
class Chosen:
    index: Index
    """The chosen rows, best first."""
    rows: Spill
    """The name and the columns of each, in the same order."""
    near_copies: int
    """Rows dropped because they mostly repeat better ones."""
    sampled_share: float
    """Share of word 5-grams that the search for near-copies used."""
    is_full: bool
    is_cut: bool
    """Whether rows were dropped that could have filled the budget."""


def choose(
    parts: Sequence[Part], entries: Sequence[PoolEntry], budget: int, limit: int, folder: Path
) -> Chosen:
    """The best rows that fill `budget` bytes of text, from the best `limit` bytes in the parts."""
    for number, part in enumerate(parts):
        part.index["part"] = number
    index, is_cut = best(np.concatenate([part.index for part in parts]), limit)
    is_cut = is_cut or any(part.is_cut for part in parts)
    readers = [entry.reader() for entry in entries]
    copies = NearCopies()
    chosen = Spill(folder / "chosen.parquet")
    taken: list[NDArray[np.int64]] = []
    passed_over, held = 0, 0
    for ranks, packed in _in_order(index, parts, folder):
        texts = []
        for rank, row in zip(ranks, packed, strict=True):
            name, columns = unpack(row)
            text = text_of(readers[index["source"][rank]], name, columns, Counter())
            assert text is not None  # only rows with text are kept
            texts.append(text)
        is_kept = copies.keep(find_words(texts))
        before = held + np.concatenate([[0], np.cumsum(index["bytes"][ranks] * is_kept)[:-1]])
        is_wanted = before < budget
        passed_over += int((is_wanted & ~is_kept).sum())
        for place in np.flatnonzero(is_wanted & is_kept):
            chosen.add(int(ranks[place]), packed[place])
        taken.append(ranks[is_wanted & is_kept])
        held += int(index["bytes"][taken[-1]].sum())
        if held >= budget:
            break
    chosen.close()
    places = np.concatenate([np.empty(0, dtype=np.int64), *taken])
    return Chosen(index[places], chosen, passed_over, copies.sampled_share, held >= budget, is_cut)


def _in_order(
    index: Index, parts: Sequence[Part], folder: Path
) -> Iterator[tuple[NDArray[np.int64], list[bytes]]]:
    """The rows of an index in its order, in batches: sorted on the disk into buckets that fit into memory."""
    bucket_of = np.empty(len(index), dtype=np.int64)
    count = 0
    for portion in portions_by_bytes(index["packed"], _BUCKET_BYTES):
        bucket_of[portion] = count
        count += 1
    buckets = [Spill(folder / f"bucket-{number}.parquet", PORTION_BYTES // count) for number in range(count)]
    with ExitStack() as stack:
        for bucket in buckets:
            stack.enter_context(closing(bucket))
        for number, part in enumerate(parts):
            ranks = np.flatnonzero(index["part"] == number)
            ranks = ranks[np.argsort(index["key"][ranks])]
            keys = index["key"][ranks]
            for rows in portions_of(part.path) if part.path else ():
                places = np.searchsorted(keys, [key for key, _ in rows])
                for place, (key, packed) in zip(places, rows, strict=True):
                    if place < len(keys) and keys[place] == key:
                        rank = int(ranks[place])
                        buckets[bucket_of[rank]].add(rank, packed)
    for bucket in buckets:
        rows = sorted(row for portion in bucket.portions() for row in portion)
        bucket.delete()
        ranks = np.array([rank for rank, _ in rows])
        for portion in portions_by_bytes(index["bytes"][ranks], BATCH_BYTES):
            for start in range(portion.start, portion.stop, BATCH_ROWS):
                stop = min(start + BATCH_ROWS, portion.stop)
                yield ranks[start:stop], [packed for _, packed in rows[start:stop]]

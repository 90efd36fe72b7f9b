"""The one pass over a pool: every row is read, scored and compared with the target, by one process or several."""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.errors import UserError
from workflow_scripts.pool.best_rows import FIELDS, BestRows, Index
from workflow_scripts.pool.leaks import LeakFinder
from workflow_scripts.pool.rows import Batch, PoolEntry, RowStream, row_number
from workflow_scripts.pool.scoring import Scorer
from workflow_scripts.pool.spill import pack
from workflow_scripts.texts.progress import Progress
from workflow_scripts.texts.words import Words, find_words

NO_WORDS = "without words"

# Scores are counted in steps of 1/1000 between -20 and 20, so that quantiles of any number of rows need 320 kB.
_STEP, _LARGEST = 1e-3, 20.0

_WAIT_SECONDS = 0.5
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Unit:
    """A unit of reading: a file, or all files of an entry that limits its number of rows."""

    source: int
    entry: PoolEntry
    files: dict[Path, str]
    bytes: int


@dataclass
class Tally:
    """What was read."""

    rows: Counter[str] = field(default_factory=Counter)
    """Rows with text, by source."""
    bytes: Counter[str] = field(default_factory=Counter)
    words: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    leaking_rows: int = 0
    leaked: set[int] = field(default_factory=set)
    """Rows of the target that recur in the pool."""
    scores: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(round(2 * _LARGEST / _STEP) + 1, dtype=np.int64)
    )

    def add(self, other: "Tally") -> None:
        self.rows += other.rows
        self.bytes += other.bytes
        self.words += other.words
        self.skipped += other.skipped
        self.leaking_rows += other.leaking_rows
        self.leaked |= other.leaked
        self.scores += other.scores

    def count_scores(self, scores: NDArray[np.float64]) -> None:
        steps = np.rint((np.clip(scores, -_LARGEST, _LARGEST) + _LARGEST) / _STEP).astype(np.int64)
        np.add.at(self.scores, steps, 1)

    def score_quantile(self, share: float) -> float:
        place = int(np.searchsorted(np.cumsum(self.scores), share * self.scores.sum()))
        return round(place * _STEP - _LARGEST, 3)


@dataclass(frozen=True)
class Part:
    """The result of one process: the rows that it kept, their file, and whether it dropped any."""

    index: Index
    path: Path | None
    is_cut: bool
    tally: Tally


def units_of(entries: Sequence[PoolEntry]) -> list[Unit]:
    """The files of a pool; `entries` are in the order of their names."""
    units = []
    for source, entry in enumerate(entries):
        groups = (
            [dict(entry.files)]
            if entry.is_limited
            else [{path: short} for path, short in entry.files.items()]
        )
        for files in groups:
            units.append(Unit(source, entry, files, sum(path.stat().st_size for path in files)))
    return units


def shared_out(units: Sequence[Unit], processes: int) -> list[list[Unit]]:
    """A list of units for each process, of about equal size and never empty."""
    shares: list[list[Unit]] = [[] for _ in range(max(min(processes, len(units)), 1))]
    sizes = [0] * len(shares)
    for unit in sorted(units, key=lambda unit: -unit.bytes):
        smallest = sizes.index(min(sizes))
        shares[smallest].append(unit)
        sizes[smallest] += unit.bytes
    return shares


def read_pool(
    entries: Sequence[PoolEntry], scorer: Scorer, leaks: LeakFinder, limit: int, processes: int, folder: Path
) -> list[Part]:
    """The parts that the processes kept; together they have the best rows of the pool up to `limit` bytes of text."""
    units = units_of(entries)
    shares = shared_out(units, processes)
    progress = Progress("pool", sum(unit.bytes for unit in units))
    folders = [folder / f"part-{number}" for number in range(len(shares))]
    for own in folders:
        own.mkdir()
    if len(shares) == 1:
        return [read_share(shares[0], scorer, leaks, limit, folders[0], progress.at)]
    context = multiprocessing.get_context("spawn")
    bytes_read, is_stopped = context.Array("q", len(shares)), context.Value("b", 0)
    with ProcessPoolExecutor(len(shares), context, _set_up, (bytes_read, is_stopped)) as pool:
        jobs = [
            pool.submit(_read_in_process, number, share, scorer, leaks, limit, own)
            for number, (share, own) in enumerate(zip(shares, folders, strict=True))
        ]
        try:
            running = set(jobs)
            while running:
                done, running = wait(running, _WAIT_SECONDS)
                for job in done:
                    job.result()
                progress.at(sum(bytes_read[:]))
        except BrokenProcessPool:
            raise UserError(
                "a process that read the pool was killed, probably because memory ran out; use fewer processes"
            ) from None
        finally:
            is_stopped.value = 1
    return [job.result() for job in jobs]


def read_share(
    units: Sequence[Unit],
    scorer: Scorer,
    leaks: LeakFinder,
    limit: int,
    folder: Path,
    tell: Callable[[int], None],
) -> Part:
    """Read some files; `tell` is called with the bytes read up to then."""
    kept = BestRows(limit, folder)
    tally = Tally()
    finished = 0
    for unit in units:
        name = unit.entry.name
        files = {short: number for number, short in enumerate(unit.entry.files.values())}
        stream = RowStream(unit.entry, unit.files)
        for batch in stream.batches():
            words = find_words(batch.texts)
            scores = scorer.scores(batch.texts, words)
            has_words = words.counts() > 0
            found = leaks.pairs(words)
            is_leak = np.zeros(len(batch.texts), dtype=np.bool_)
            is_leak[[text for text, _ in found]] = True
            tally.rows[name] += len(batch.texts)
            tally.bytes[name] += batch.bytes
            tally.words += len(words.hashes)
            tally.skipped[NO_WORDS] += int((~has_words).sum())
            tally.leaking_rows += int(is_leak.sum())
            tally.leaked.update(row for _, row in found)
            tally.count_scores(scores[has_words])
            chosen = np.flatnonzero(has_words & ~is_leak & (scores >= kept.threshold))
            rows = _indexed(batch, words, scores, chosen)
            rows["source"], rows["file"] = unit.source, files[batch.file]
            kept.add(rows, (pack((batch.names[place], dict(batch.rows[place]))) for place in chosen))
            tell(finished + stream.bytes_read())
        tally.skipped += stream.skipped
        finished += unit.bytes
    index, path = kept.finish()
    return Part(index, path, kept.is_cut, tally)


def _indexed(batch: Batch, words: Words, scores: NDArray[np.float64], chosen: NDArray[np.int64]) -> Index:
    rows = np.zeros(len(chosen), dtype=FIELDS)
    rows["score"] = scores[chosen]
    rows["row"] = [row_number(batch.names[place]) for place in chosen]
    rows["bytes"] = [len(batch.texts[place]) for place in chosen]
    # Rows with the same words may differ in white space and then count as near-copies.
    rows["text"] = words.texts[chosen] ^ rows["bytes"].astype(np.uint64) * _ODD
    return rows


_shared: dict[str, Any] = {}


class _Stopped(Exception):
    """Another process failed, so this one stops."""


def _set_up(bytes_read: Any, is_stopped: Any) -> None:
    _shared["bytes_read"], _shared["is_stopped"] = bytes_read, is_stopped


def _read_in_process(
    number: int, units: Sequence[Unit], scorer: Scorer, leaks: LeakFinder, limit: int, folder: Path
) -> Part:
    def tell(read: int) -> None:
        _shared["bytes_read"][number] = read
        if _shared["is_stopped"].value:
            raise _Stopped

    return read_share(units, scorer, leaks, limit, folder, tell)

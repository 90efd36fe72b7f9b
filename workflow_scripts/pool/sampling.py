"""Draw a seeded sample of a pool, to estimate its n-gram distribution before the one pass that scores it.

JSON lines are read at random places. At each place, rows that begin within the next 256 KiB are taken, so that long
rows are neither missed nor preferred. Compressed files and CSV can only be read from the beginning: sixteen times the
size of the sample is read, and each row is taken with the same probability. Parquet files are read in the same
proportion: random row groups, and random slices of 64 rows of these.
"""

import logging
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import pyarrow.parquet as pq

from workflow_scripts.corpora.documents import stable_hash
from workflow_scripts.corpora.sources.files import errors_in_one_line, json_row, rows_of, text_lines
from workflow_scripts.errors import UserError
from workflow_scripts.pool.rows import PoolEntry, RowStream, text_of
from workflow_scripts.texts.progress import Progress

logger = logging.getLogger(__name__)

SAMPLE_BYTES = 64 << 20
"""Bytes of text. The share of a word that is 1 in 10,000 is then known to 3%."""

_BLOCK = 256 << 10
_SLICE_ROWS = 64
_READ_PER_SAMPLED = 16
# A sample below this share of the wanted size is too small: most of the files is not text of admitted rows.
_TOO_LITTLE = 1 / 32
# Bytes of text per byte of a compressed file, typical of English; only the size of the sample depends on it.
_UNPACKED = {".gz": 3.0, ".parquet": 2.5}

_Rows = Iterator[tuple[str, Mapping[str, Any]]]


def sampled_texts(entries: Sequence[PoolEntry], seed: int, wanted: int = SAMPLE_BYTES) -> Iterator[bytes]:
    """Texts of about `wanted` bytes in total, spread over the pool; all texts if the pool is smaller."""
    files = [path for entry in entries for path in entry.files]
    share = wanted / max(sum(path.stat().st_size * _UNPACKED.get(path.suffix, 1.0) for path in files), 1)
    while True:
        found = 0
        for text in _texts(entries, seed, share):
            found += len(text)
            yield text
        if share >= 1 or found >= wanted * _TOO_LITTLE:
            return
        logger.info("the sample of the pool has only %d bytes of text; drawing a larger one", found)
        share /= _TOO_LITTLE


def _texts(entries: Sequence[PoolEntry], seed: int, share: float) -> Iterator[bytes]:
    progress = Progress("sample of the pool", sum(entry.bytes() for entry in entries))
    finished = 0
    for entry in entries:
        reader, skipped = entry.reader(), Counter[str]()
        if entry.is_limited:
            draws = random.Random(stable_hash("sample", seed, entry.name))
            stream = RowStream(entry, entry.files)
            for batch in stream.batches():
                yield from (text for text in batch.texts if draws.random() < share)
                progress.at(finished + stream.bytes_read())
            finished += entry.bytes()
            continue
        for path, short in entry.files.items():
            draws = random.Random(stable_hash("sample", seed, entry.name, short))
            try:
                with path.open("rb") as raw:
                    for name, row in _rows(raw, short, path.stat().st_size, share, draws):
                        text = text_of(reader, name, row, skipped)
                        if text is not None:
                            yield text
                        progress.at(finished + (0 if raw.closed else raw.tell()))
            except UserError as mistake:
                raise UserError(f"pool {entry.name}: {mistake}") from None
            finished += path.stat().st_size


def _rows(raw: BinaryIO, short: str, size: int, share: float, draws: random.Random) -> _Rows:
    """Named rows of a file, each taken with the probability `share`."""
    if share >= 1:
        yield from rows_of(raw, short)
        return
    part = min(_READ_PER_SAMPLED * share, 1.0)
    if short.endswith(".jsonl"):
        yield from _entered(raw, short, size, share, draws)
    elif short.endswith(".parquet"):
        with errors_in_one_line(short), pq.ParquetFile(raw, page_checksum_verification=True) as file:
            groups = [number for number in range(file.num_row_groups) if draws.random() < part]
            for rows in file.iter_batches(batch_size=_SLICE_ROWS, row_groups=groups):
                if draws.random() < share / part:
                    yield from ((short, row) for row in rows.to_pylist())
    elif short.endswith(".txt"):
        if draws.random() < share:
            yield from rows_of(raw, short)
    else:
        for name, row in _thinned(raw, short, share / part, draws):
            yield name, row
            if raw.tell() > part * size:
                return


def _thinned(raw: BinaryIO, short: str, share: float, draws: random.Random) -> _Rows:
    """Lines of JSON are drawn before they are parsed."""
    if not short.endswith(".jsonl.gz"):
        yield from (row for row in rows_of(raw, short) if draws.random() < share)
        return
    with errors_in_one_line(short):
        for number, line in enumerate(text_lines(raw, short), start=1):
            if draws.random() < share and line.strip():
                yield short, json_row(line, short, f"line {number}")


def _entered(raw: BinaryIO, short: str, size: int, share: float, draws: random.Random) -> _Rows:
    """Rows that begin in some blocks of a file of JSON lines, each block taken with the probability `share`."""
    with errors_in_one_line(short):
        for start in range(0, size, _BLOCK):
            if draws.random() >= share:
                continue
            # A line that began before the block is skipped; one that begins with the block is not.
            raw.seek(max(start - 1, 0))
            if start:
                raw.readline()
            while raw.tell() < start + _BLOCK:
                line = raw.readline()
                if not line:
                    break
                if line.strip():
                    yield short, json_row(line.decode(), short, f"after byte {start}")

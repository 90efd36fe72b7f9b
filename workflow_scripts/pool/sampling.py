"""A seeded sample of a pool, from which its n-gram distribution is estimated before the one pass that scores it.

JSON lines are entered at random places: of each place the rows count that begin within the next 256 KiB, so that long
rows are neither missed nor preferred. Compressed files and CSV cannot be entered in the middle; they are read through
and each line is taken with the same probability before it is parsed. Of Parquet files slices of 64 rows are taken.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from workflow_scripts.corpora.documents import stable_hash
from workflow_scripts.corpora.sources.files import json_row, rows_of, text_lines, told_in_one_line
from workflow_scripts.errors import UserError
from workflow_scripts.pool.rows import PoolEntry, text_of

SAMPLE_BYTES = 64 << 20
"""Of the files' text. The share of a word that makes 1 in 10,000 is then known to 3%."""

_BLOCK = 256 << 10
_SLICE_ROWS = 64
# Bytes of text for each byte of a compressed file: typical of English, and only the size of the sample depends on it.
_UNPACKED = {".gz": 3.0, ".parquet": 2.5}

_Rows = Iterator[tuple[str, Mapping[str, Any]]]


def sampled_texts(entries: Sequence[PoolEntry], seed: int, wanted: int = SAMPLE_BYTES) -> Iterator[bytes]:
    """Texts of about `wanted` bytes in all, spread over the pool; all texts of a smaller pool."""
    estimated = sum(_unpacked_bytes(path) for entry in entries for path in entry.files)
    share = wanted / max(estimated, 1)
    for entry in entries:
        reader, skipped = entry.reader(), Counter[str]()
        for path, short in entry.files.items():
            draws = random.Random(stable_hash("sample", seed, entry.name, short))
            try:
                for name, row in _rows(path, short, share, draws):
                    text = text_of(reader, name, row, skipped)
                    if text is not None:
                        yield text
            except UserError as mistake:
                raise UserError(f"pool {entry.name}: {mistake}") from None


def _unpacked_bytes(path: Path) -> float:
    return path.stat().st_size * _UNPACKED.get(path.suffix, 1.0)


def _rows(path: Path, short: str, share: float, draws: random.Random) -> _Rows:
    if share >= 1:
        with path.open("rb") as raw:
            yield from rows_of(raw, short)
    elif short.endswith(".jsonl"):
        yield from _entered(path, short, share, draws)
    elif short.endswith(".jsonl.gz"):
        with path.open("rb") as raw, told_in_one_line(short):
            for number, line in enumerate(text_lines(raw, short), start=1):
                if draws.random() < share and line.strip():
                    yield short, json_row(line, short, f"line {number}")
    elif short.endswith(".parquet"):
        with told_in_one_line(short), pq.ParquetFile(path, page_checksum_verification=True) as file:
            for rows in file.iter_batches(batch_size=_SLICE_ROWS):
                if draws.random() < share:
                    yield from ((short, row) for row in rows.to_pylist())
    elif short.endswith(".txt"):
        if draws.random() < share:
            with path.open("rb") as raw:
                yield from rows_of(raw, short)
    else:
        with path.open("rb") as raw:
            yield from (row for row in rows_of(raw, short) if draws.random() < share)


def _entered(path: Path, short: str, share: float, draws: random.Random) -> _Rows:
    """Rows that begin in some blocks of a file of JSON lines, each block taken with the probability `share`."""
    with path.open("rb") as raw, told_in_one_line(short):
        for start in range(0, path.stat().st_size, _BLOCK):
            if draws.random() >= share:
                continue
            # The line that began before the block is passed over; one that begins with the block is not.
            raw.seek(max(start - 1, 0))
            if start:
                raw.readline()
            while raw.tell() < start + _BLOCK:
                line = raw.readline()
                if not line:
                    break
                if line.strip():
                    yield short, json_row(line.decode(), short, f"after byte {start}")

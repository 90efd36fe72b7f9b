"""Seals: a file contains the path that it was written as, and the SHA-256 of all of its bytes.

A writer puts both into the file, the checksum as zeros, and `stamp` replaces the zeros by the checksum of the file with
zeros. So every byte is covered, also headers and metadata, and equal content gives equal bytes. The path starts at the
folder of the file's stage, so it is the same in every run and on every machine.
"""

import hashlib
import mmap
import re
from pathlib import Path
from typing import BinaryIO

from workflow_scripts.errors import UserError

WRITTEN_AS = "plumbline.written_as"
CHECKSUM = "plumbline.sha256"
UNSTAMPED = "0" * 64
_BLOCK = 1 << 20

# Folders of a run.
STAGES = frozenset(
    (
        *("corpora", "tokens", "probe", "embeddings", "alignment", "training"),
        *("losses", "analysis", "report", "times", "store"),
    )
)
_TIME_OF_FOLDER = ".snakemake_timestamp"  # Snakemake puts it into a folder that is an output as a whole

# Between the name and the checksum: `": "` in JSON, type and length of a string in Parquet.
_SLOT = re.compile(re.escape(CHECKSUM.encode()) + rb"[^0-9a-f]{1,4}([0-9a-f]{64})")


class DamagedFile(UserError):
    """A file that differs from what was written, or that was written as another file."""


def place_of(path: str | Path) -> str | None:
    """The path from the folder of its stage on; None outside a run."""
    parts = Path(path).absolute().parts
    starts = [index for index, part in enumerate(parts[:-1]) if part in STAGES]
    return "/".join(parts[starts[-1] :]) if starts else None


def seal_of(path: str | Path) -> dict[str, str]:
    """The seal of a file to be written at `path`, before it is stamped."""
    return {WRITTEN_AS: place_of(path) or "", CHECKSUM: UNSTAMPED}


def stamp(path: Path) -> None:
    """Put the checksum of a file into its seal."""
    with path.open("r+b") as stream:
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            start, end = _slot(content, path)
        digest = _digest(stream, start, end)
        stream.seek(start)
        stream.write(digest.encode())


def check_stamp(path: str | Path) -> None:
    """Refuse a file whose bytes differ from those that were written."""
    path = Path(path)
    if not path.is_file():
        folder = _made_folder(path)
        deleted = f"delete the folder {folder} and " if folder else ""
        raise DamagedFile(f"{path} is missing: {deleted}run the same command again to make it")
    if not path.stat().st_size:
        raise DamagedFile(f"{path} is empty: {_remedy(path)}")
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start, end = _slot(content, path)
        if _digest(stream, start, end).encode() != content[start:end]:
            raise DamagedFile(f"{path} is damaged (its checksum does not match): {_remedy(path)}")


def _digest(stream: BinaryIO, start: int, end: int) -> str:
    """SHA-256 of a file with zeros in the slot from `start` to `end`, read in portions."""
    digest = hashlib.sha256()
    stream.seek(0)
    left = start
    while left and (block := stream.read(min(left, _BLOCK))):
        digest.update(block)
        left -= len(block)
    digest.update(UNSTAMPED.encode())
    stream.seek(end)
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def check_place(path: str | Path, written_as: str) -> None:
    """Refuse a file that was written as another one; outside a run any name is accepted."""
    expected = place_of(path)
    if expected is not None and written_as != expected:
        raise DamagedFile(
            f"{path} was written as {written_as or 'a file outside any run'}, so it does not belong there: "
            f"{_remedy(path)}"
        )


def _remedy(path: str | Path) -> str:
    return f"delete {_made_folder(path) or 'it'} and run the same command again to rebuild it"


def _made_folder(path: str | Path) -> Path | None:
    """The folder that a job made as a whole: while it exists, Snakemake does not miss a file in it."""
    return next((folder for folder in Path(path).parents if (folder / _TIME_OF_FOLDER).is_file()), None)


def _slot(content: mmap.mmap, path: Path) -> tuple[int, int]:
    """Position of the checksum. The last one is used, because texts before it may quote one."""
    start = content.rfind(CHECKSUM.encode())
    while start >= 0:
        found = _SLOT.match(content, start)
        if found is not None:
            return found.span(1)
        start = content.rfind(CHECKSUM.encode(), 0, start)
    raise DamagedFile(
        f"{path} has no checksum, so it is damaged or was not made by this version: {_remedy(path)}"
    )

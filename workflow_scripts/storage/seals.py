"""Seals: inside a file, what it was written as and the SHA-256 of all of its bytes.

A writer puts both names into the file, the checksum as zeros, and `stamp` replaces the zeros by the checksum of the
file as it then is. So every byte is covered, headers and metadata too, and equal content still makes equal bytes.
What a file was written as is its path from the folder of its stage on: the same in every run and on every machine.
"""

import hashlib
import mmap
import re
from pathlib import Path

from workflow_scripts.errors import UserError

WRITTEN_AS = "plumbline.written_as"
CHECKSUM = "plumbline.sha256"
UNSTAMPED = "0" * 64

# Folders of a run.
STAGES = frozenset(
    (
        *("corpora", "tokens", "probe", "embeddings", "alignment", "training"),
        *("losses", "analysis", "report", "times", "store"),
    )
)
REMEDY = "delete it and give the same command again, which makes it anew"

# Between the name and the checksum: `": "` in JSON, type and length of a string in Parquet.
_SLOT = re.compile(re.escape(CHECKSUM.encode()) + rb"[^0-9a-f]{1,4}([0-9a-f]{64})")


class DamagedFile(UserError):
    """A file that is not what was written, or stands in the place of another one."""


def place_of(path: str | Path) -> str | None:
    """The path from the folder of its stage on; None outside a run."""
    parts = Path(path).absolute().parts
    starts = [index for index, part in enumerate(parts[:-1]) if part in STAGES]
    return "/".join(parts[starts[-1] :]) if starts else None


def seal_of(path: str | Path) -> dict[str, str]:
    """What a writer puts into the file that will stand at `path`, before it is stamped."""
    return {WRITTEN_AS: place_of(path) or "", CHECKSUM: UNSTAMPED}


def stamp(path: Path) -> None:
    """Put the checksum of a file into its seal."""
    with path.open("r+b") as stream:
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            start, _ = _slot(content, path)
            digest = hashlib.sha256(content).hexdigest()
        stream.seek(start)
        stream.write(digest.encode())


def check_stamp(path: str | Path) -> None:
    """Refuse a file whose bytes are not those that were written."""
    path = Path(path)
    if not path.is_file():
        raise DamagedFile(f"{path} is missing: give the same command again, which makes it")
    if not path.stat().st_size:
        raise DamagedFile(f"{path} is empty: {REMEDY}")
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start, end = _slot(content, path)
        digest = hashlib.sha256()
        with memoryview(content) as view:
            digest.update(view[:start])
            digest.update(UNSTAMPED.encode())
            digest.update(view[end:])
        if digest.hexdigest().encode() != content[start:end]:
            raise DamagedFile(f"{path} is damaged (its checksum does not match): {REMEDY}")


def check_place(path: str | Path, written_as: str) -> None:
    """Refuse a file that was written as another one; outside a run every name is as good as another."""
    expected = place_of(path)
    if expected is not None and written_as != expected:
        raise DamagedFile(
            f"{path} was written as {written_as or 'a file outside any run'}, so it is not what belongs there: {REMEDY}"
        )


def _slot(content: mmap.mmap, path: Path) -> tuple[int, int]:
    """Where the checksum stands. The last one counts: texts before it may quote one."""
    start = content.rfind(CHECKSUM.encode())
    while start >= 0:
        found = _SLOT.match(content, start)
        if found is not None:
            return found.span(1)
        start = content.rfind(CHECKSUM.encode(), 0, start)
    raise DamagedFile(
        f"{path} carries no checksum, so it is damaged or was not made by this version: {REMEDY}"
    )

"""Simulates a power cut: a process notes what it flushes to the disk, and what it did not flush is lost.

Copied as `sitecustomize.py` into a folder on PYTHONPATH, it does so in every Python process whose environment has
PLUMBLINE_FLUSHED, the path of the list of flushed files.
"""

import os
import random
import stat
import time
from pathlib import Path
from typing import Any

VARIABLE = "PLUMBLINE_FLUSHED"
FATES = ("emptied", "zeroed", "written")  # of content that was not flushed


def note_flushed(listed: str | Path) -> None:
    """From now on, append to a list each file that this process flushes, as it is then."""
    fsync = os.fsync
    stream = os.open(listed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def flush(descriptor: Any) -> None:
        fsync(descriptor)
        found = os.fstat(descriptor if isinstance(descriptor, int) else descriptor.fileno())
        is_folder = stat.S_ISDIR(found.st_mode)
        state = time.time_ns() if is_folder else f"{found.st_size}:{found.st_mtime_ns}"
        os.write(stream, f"{found.st_ino} {state}\n".encode())

    os.fsync = flush  # type: ignore[assignment]


def lose_unflushed(folder: Path, listed: Path, chance: random.Random) -> list[str]:
    """Do to the files below `folder` what a power cut may do. Returns a line for each that was changed.

    Content that was not flushed is there, is zeros, or is missing. A name is missing if its folder was not flushed
    after the file got it.
    """
    flushed, folders = flushed_files(listed)
    changed = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        found = path.stat()
        fate = "written"
        if folders.get(path.parent.stat().st_ino, 0) < found.st_ctime_ns and chance.random() < 0.5:
            fate = "removed"
            path.unlink()
        elif (found.st_ino, f"{found.st_size}:{found.st_mtime_ns}") not in flushed and found.st_size:
            fate = chance.choice(FATES)
            if fate != "written":
                path.write_bytes(bytes(found.st_size) if fate == "zeroed" else b"")
                os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        if fate != "written":
            changed.append(f"{path} {fate}")
    return changed


def unflushed(path: Path, listed: Path) -> bool:
    """Whether a power cut could take a file: its content, or its name."""
    flushed, folders = flushed_files(listed)
    found = path.stat()
    has_content = (found.st_ino, f"{found.st_size}:{found.st_mtime_ns}") in flushed
    return not has_content or folders.get(path.parent.stat().st_ino, 0) < found.st_ctime_ns


def flushed_files(listed: Path) -> tuple[set[tuple[int, str]], dict[int, int]]:
    """Files as they were when they were flushed, and when each folder was flushed last."""
    files, folders = set(), {}
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []:
        inode, state = line.split()
        if ":" in state:
            files.add((int(inode), state))
        else:
            folders[int(inode)] = int(state)
    return files, folders


if VARIABLE in os.environ and __name__ == "sitecustomize":
    note_flushed(os.environ[VARIABLE])

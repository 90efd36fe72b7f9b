"""Snakemake's records survive a power cut, like the files that they are about.

Snakemake records the parameters and the code of each finished job in `.snakemake/metadata`, and marks unfinished jobs
in `.snakemake/incomplete`. It leaves the moment of writing to the operating system. If a record were lost and its
output were not, a later change of a parameter would not make that output again.
"""

from pathlib import Path
from typing import Any

from snakemake.persistence.file import FilePersistence

from workflow_scripts.storage.durable import flush_to_disk


def flush_records() -> None:
    """Have Snakemake flush each record to the disk; it has no hook there, so its method is wrapped, once."""
    write = FilePersistence._io_write
    if getattr(write, "flushes", False):
        return

    def write_and_flush(self: FilePersistence, subject: str, value: Any, id: str, *others: Any) -> None:
        write(self, subject, value, id, *others)
        record = Path(self._record_path(subject, id))
        flush_to_disk(record)
        flush_to_disk(record.parent)

    write_and_flush.flushes = True  # type: ignore[attr-defined]
    FilePersistence._io_write = write_and_flush

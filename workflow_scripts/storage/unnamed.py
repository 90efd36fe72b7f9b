"""Files without a name, for what does not fit into memory: nothing of them remains, however a program ends."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def unnamed_file(folder: str | Path) -> Iterator[IO[bytes]]:
    """A file on the disk of `folder`, which should have room for it: that of the results, not that of /tmp."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        yield file

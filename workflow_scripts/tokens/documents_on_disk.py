"""Encoded documents in a file, which are read again in any order."""

import os
from array import array
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np
import pyarrow as pa

from workflow_scripts.tokens.encode import DocumentTokens

_AT_ONCE = 1 << 12


class DocumentsOnDisk:
    """Memory holds the name of each document and 12 bytes more."""

    def __init__(self, file: IO[bytes]):
        """`file` is empty, and serves for nothing else."""
        self._file = file
        self._names: list[pa.Array] = []
        self._ends = array("q", [0])  # tokens up to the end of each document
        self._heads = array("i")  # tokens before the answer

    def __len__(self) -> int:
        return len(self._heads)

    def add(self, documents: Iterable[DocumentTokens]) -> None:
        """More documents; their names are kept as Arrow's, which take a third of the memory."""
        names: list[str] = []
        for document in documents:
            if len(names) == _AT_ONCE:
                self._names.append(pa.array(names, pa.large_string()))
                names = []
            names.append(document.doc_id)
            self._ends.append(self._ends[-1] + len(document.input_ids))
            self._heads.append(len(document.answer) - int(np.count_nonzero(document.answer)))
            self._file.write(np.ascontiguousarray(document.input_ids, dtype=np.int32).data)
        self._names.append(pa.array(names, pa.large_string()))

    def read(self, order: np.ndarray) -> Iterator[DocumentTokens]:
        """The documents at these places, in this order."""
        self._file.flush()
        names = pa.concat_arrays(self._names)
        self._names = [names]
        file = self._file.fileno()
        for start in range(0, len(order), _AT_ONCE):
            some = order[start : start + _AT_ONCE]
            for name, number in zip(names.take(pa.array(some)).to_pylist(), some.tolist(), strict=True):
                begin, end = self._ends[number], self._ends[number + 1]
                ids = np.frombuffer(_read(file, 4 * begin, 4 * (end - begin)), dtype=np.int32)
                yield DocumentTokens(name, ids, np.arange(len(ids)) >= self._heads[number])


def _read(file: int, offset: int, size: int) -> bytes:
    """`size` bytes of a file; the system may give fewer than asked for, at most 2 GB at once."""
    parts = []
    while size:
        part = os.pread(file, size, offset)
        if not part:
            raise OSError(f"a temporary file ends at byte {offset}, {size} bytes too early")
        parts.append(part)
        offset, size = offset + len(part), size - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)

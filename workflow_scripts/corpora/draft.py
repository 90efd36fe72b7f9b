"""A corpus in the making: its documents in a file, and marks on those to be left out."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from workflow_scripts.storage.documents import SCHEMA, Document, as_tables, groups_of
from workflow_scripts.texts.copies import RULE
from workflow_scripts.texts.progress import Progress

_DIGEST_BYTES = 16


class Draft:
    """Memory holds 33 bytes for each document, and those that find near-duplicates."""

    def __init__(self, file: IO[bytes]):
        """`file` is empty, and serves for nothing else."""
        self._file = file
        self._names, self._texts = bytearray(), bytearray()
        self._sides = bytearray()
        self._bytes = 0
        self.is_eval = self.is_kept = np.empty(0, dtype=np.bool_)

    def write(self, documents: Iterable[Document]) -> None:
        """All documents, in their order."""
        progress = Progress("documents")
        with pq.ParquetWriter(self._file, SCHEMA, compression="lz4") as writer:
            for table in as_tables(self._noted(documents)):
                writer.write_table(table)
                progress.at(self._bytes)
        self.is_eval = np.frombuffer(bytes(self._sides), dtype=np.bool_)
        self.is_kept = np.ones(len(self.is_eval), dtype=np.bool_)

    def _noted(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in documents:
            encoded = document.text.encode()
            self._bytes += len(encoded)
            self._names += _digest(document.doc_id.encode())
            self._texts += _digest(encoded)
            self._sides.append(document.split == "eval")
            yield document

    def remove_duplicates(self, other_train_texts: Iterable[str] = ()) -> dict[str, Any]:
        """Mark exact duplicates anywhere, then evaluation documents that nearly repeat training text.

        Of equal documents the first on the train side is kept, or else the first. Returns the counts.
        """
        self._check_names()
        is_train = (~self.is_eval).astype(np.uint8)
        self.is_kept &= _first_of_equals(self._texts, preferred=is_train)
        self._texts = bytearray()
        duplicates = int((~self.is_kept).sum())
        candidates = np.flatnonzero(self.is_kept & self.is_eval)
        counts = {"of_own_train_side": 0, "of_other_corpora": 0}
        if len(candidates):
            # Its import takes longer than the rest of a small corpus.
            from workflow_scripts.corpora.near_duplicates import NearDuplicates

            finder = NearDuplicates(self._text_of(self.is_kept & self.is_eval))
            of_own = finder.of(self._text_of(self.is_kept & ~self.is_eval))
            of_others = finder.of(other_train_texts) & ~of_own
            self.is_kept[candidates[of_own | of_others]] = False
            counts = {"of_own_train_side": int(of_own.sum()), "of_other_corpora": int(of_others.sum())}
        return {
            "duplicates_removed": duplicates,
            "near_duplicates_removed": counts,
            "near_duplicate_rule": RULE,
        }

    def _check_names(self) -> None:
        repeated = np.flatnonzero(~_first_of_equals(self._names))
        self._names = bytearray()
        if len(repeated):
            is_second = np.zeros(len(self.is_eval), dtype=np.bool_)
            is_second[repeated[0]] = True
            (name,) = (
                name
                for table in self._selected(is_second, ["doc_id"])
                for name in table["doc_id"].to_pylist()
            )
            raise ValueError(f"two documents have the name {name!r}")

    def kept(self) -> Iterator[pa.Table]:
        """Tables of the documents that are not left out, in their order."""
        for table in self._selected(self.is_kept, None):
            if len(table):
                yield table

    def _text_of(self, selected: NDArray[np.bool_]) -> Iterator[str]:
        for table in self._selected(selected, ["text"], "comparison of sides"):
            yield from table.column("text").to_pylist()

    def _selected(
        self, selected: NDArray[np.bool_], columns: list[str] | None, progress: str = ""
    ) -> Iterator[pa.Table]:
        self._file.seek(0)
        start = 0
        for table in groups_of(pq.ParquetFile(self._file), columns, progress):
            end = start + table.num_rows
            yield table.filter(pa.array(selected[start:end]))
            start = end


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()


def _first_of_equals(digests: bytearray, preferred: NDArray[np.uint8] | None = None) -> NDArray[np.bool_]:
    """Of each group of equal digests the first, or the first preferred one."""
    halves = np.frombuffer(bytes(digests), dtype=np.uint64).reshape(-1, 2)
    keys = (halves[:, 0], halves[:, 1])
    order = np.lexsort(keys if preferred is None else (1 - preferred, *keys))  # stable, the last key first
    ordered = halves[order]
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    found = np.zeros(len(order), dtype=np.bool_)
    found[order[is_first]] = True
    return found

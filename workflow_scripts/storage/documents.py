"""The table of a corpus' documents, some at a time."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.storage.tables import open_table
from workflow_scripts.texts.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

_ROWS, _CHARACTERS = 1 << 16, 1 << 23
"""The most documents, and about the most characters, of a row group: so many are in memory at a time."""


class Document(NamedTuple):
    """A row of the table; its fields are the columns."""

    doc_id: str
    source_object: str
    split: str  # train or eval
    text: str
    prompt: str | None = None  # of pairs; their text is both joined
    completion: str | None = None


COLUMNS = list(Document._fields)
SCHEMA = pa.schema([(column, pa.string()) for column in COLUMNS])


def as_tables(documents: Iterable[Document]) -> Iterator[pa.Table]:
    """Documents as tables that are each to be a row group."""
    portion: list[Document] = []
    held = 0
    for document in documents:
        portion.append(document)
        held += len(document.text) + len(document.prompt or "") + len(document.completion or "")
        if held >= _CHARACTERS or len(portion) == _ROWS:
            yield _as_table(portion)
            portion, held = [], 0
    if portion:
        yield _as_table(portion)


def _as_table(documents: list[Document]) -> pa.Table:
    columns = zip(*documents, strict=True)
    return pa.table([pa.array(column, pa.string()) for column in columns], SCHEMA)


def read_documents(path: str | Path) -> Iterator[Document]:
    for table in row_groups(path):
        yield from documents_of(table)


def read_side(path: str | Path, split: str) -> "pd.DataFrame":
    """The documents on one side; those of the other are in memory only a row group at a time."""
    sides = [table.filter(pc.equal(table["split"], split)) for table in row_groups(path)]
    return (pa.concat_tables(sides) if sides else SCHEMA.empty_table()).to_pandas()


def documents_of(table: pa.Table) -> Iterator[Document]:
    yield from map(Document._make, zip(*(column.to_pylist() for column in table.columns), strict=True))


def row_groups(path: str | Path, columns: list[str] | None = None, progress: str = "") -> Iterator[pa.Table]:
    """The row groups of a table of documents, which fit into memory one at a time."""
    with open_table(path) as file:
        yield from groups_of(file, columns, progress)


def groups_of(
    file: pq.ParquetFile, columns: list[str] | None = None, progress: str = ""
) -> Iterator[pa.Table]:
    """The same of an open table; the log tells how far the reading named `progress` is."""
    sizes = [file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups)]
    reading = Progress(progress, sum(sizes)) if progress else None
    read = 0
    for number, size in enumerate(sizes):
        yield file.read_row_group(number, columns=columns, use_threads=False)
        read += size
        if reading:
            reading.at(read)

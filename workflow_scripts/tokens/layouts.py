"""Encoded documents as rows of equal length, some rows at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from workflow_scripts.tokens.encode import DocumentTokens
from workflow_scripts.tokens.rows import Rows

_ROWS, _TOKENS = 1 << 16, 1 << 22
"""The most rows, and about the most tokens, at a time."""


def rows_at_a_time(length: int) -> int:
    return max(1, min(_ROWS, _TOKENS // length))


def pack(documents: Iterable[DocumentTokens], length: int, row_prefix: str) -> Iterator[Rows]:
    """Join the documents and cut the stream into full rows; an incomplete last row is dropped.

    At least one portion of rows comes, which may be empty.
    """
    most = rows_at_a_time(length)
    held = _Stream()
    n_rows = 0
    for document in documents:
        held.add(document)
        while held.size >= most * length:
            yield held.take(most, length, row_prefix, n_rows)
            n_rows += most
    if held.size >= length or not n_rows:
        yield held.take(held.size // length, length, row_prefix, n_rows)


class _Stream:
    """The end of the stream that is not in rows yet."""

    def __init__(self) -> None:
        self.size = 0
        self._names: list[str] = []
        self._ends: list[int] = []  # of each document in the stream
        self._ids: list[np.ndarray] = [np.empty(0, dtype=np.int32)]
        self._answers: list[np.ndarray] = [np.empty(0, dtype=bool)]

    def add(self, document: DocumentTokens) -> None:
        self.size += len(document.input_ids)
        self._names.append(document.doc_id)
        self._ends.append(self.size)
        self._ids.append(document.input_ids)
        self._answers.append(document.answer)

    def take(self, n_rows: int, length: int, row_prefix: str, first_row: int) -> Rows:
        """Remove the first rows."""
        stream, answers = np.concatenate(self._ids), np.concatenate(self._answers)
        ends = np.array(self._ends, dtype=np.int64)
        starts = np.arange(n_rows) * length
        first = np.searchsorted(ends, starts, side="right")
        last = np.searchsorted(ends, starts + length - 1, side="right")
        cut = n_rows * length
        rows = Rows(
            [f"{row_prefix}/{row:07d}" for row in range(first_row, first_row + n_rows)],
            [self._names[start : end + 1] for start, end in zip(first, last, strict=True)],
            stream[:cut].reshape(n_rows, length),
            np.full(n_rows, length, dtype=np.int32),
            answers[:cut].reshape(n_rows, length),
        )
        kept = int(np.searchsorted(ends, cut, side="right"))
        self.size -= cut
        self._names, self._ends = self._names[kept:], (ends[kept:] - cut).tolist()
        # Copies, so that the rows' memory is freed with them.
        self._ids, self._answers = [stream[cut:].copy()], [answers[cut:].copy()]
        return rows


def one_row_each(
    documents: Iterable[DocumentTokens], length: int, pad_id: int, row_prefix: str
) -> Iterator[Rows]:
    """One row per document, cut at `length` or right-padded; documents with nothing to predict are left out.

    At least one portion of rows comes, which may be empty.
    """
    predicted = (document for document in documents if len(document.input_ids) > 1)
    most = rows_at_a_time(length)
    portion = list(islice(predicted, most))
    yield _one_row_each(portion, length, pad_id, row_prefix)
    while portion := list(islice(predicted, most)):
        yield _one_row_each(portion, length, pad_id, row_prefix)


def _one_row_each(documents: list[DocumentTokens], length: int, pad_id: int, row_prefix: str) -> Rows:
    input_ids = np.full((len(documents), length), pad_id, dtype=np.int32)
    loss_mask = np.zeros((len(documents), length), dtype=bool)
    n_tokens = np.zeros(len(documents), dtype=np.int32)
    for row, document in enumerate(documents):
        n = min(length, len(document.input_ids))
        input_ids[row, :n] = document.input_ids[:n]
        loss_mask[row, :n] = document.answer[:n]
        n_tokens[row] = n
    return Rows(
        [f"{row_prefix}/{document.doc_id}" for document in documents],
        [[document.doc_id] for document in documents],
        input_ids,
        n_tokens,
        loss_mask,
    )

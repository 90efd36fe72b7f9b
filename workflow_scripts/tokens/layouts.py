"""Encoded documents as rows of equal length."""

from collections.abc import Iterable

import numpy as np

from workflow_scripts.tokens.encode import EncodedDocument
from workflow_scripts.tokens.rows import Rows


def pack(documents: Iterable[EncodedDocument], length: int, row_prefix: str) -> Rows:
    """Join the documents and cut the stream into full rows; an incomplete last row is dropped."""
    names, parts, answer_parts = [], [], []
    for document in documents:
        names.append(document.doc_id)
        parts.append(document.input_ids)
        answer_parts.append(document.answer)
    if not names:
        return _empty(length)
    ends = np.cumsum([len(part) for part in parts])
    # The parts are as large as the whole, so neither is kept longer than it is needed.
    stream = np.concatenate(parts, dtype=np.int32)
    del parts
    answers = np.concatenate(answer_parts)
    del answer_parts
    n_rows = len(stream) // length
    doc_ids = []
    for row in range(n_rows):
        first = np.searchsorted(ends, row * length, side="right")
        last = np.searchsorted(ends, (row + 1) * length - 1, side="right")
        doc_ids.append(names[first : last + 1])
    return Rows(
        [f"{row_prefix}/{row:07d}" for row in range(n_rows)],
        doc_ids,
        stream[: n_rows * length].reshape(n_rows, length),
        np.full(n_rows, length, dtype=np.int32),
        answers[: n_rows * length].reshape(n_rows, length),
    )


def one_row_each(documents: Iterable[EncodedDocument], length: int, pad_id: int, row_prefix: str) -> Rows:
    """One row per document, cut at `length` or right-padded; documents with nothing to predict are left out."""
    kept = [document for document in documents if len(document.input_ids) > 1]
    input_ids = np.full((len(kept), length), pad_id, dtype=np.int32)
    loss_mask = np.zeros((len(kept), length), dtype=bool)
    n_tokens = np.zeros(len(kept), dtype=np.int32)
    for row, document in enumerate(kept):
        n = min(length, len(document.input_ids))
        input_ids[row, :n] = document.input_ids[:n]
        loss_mask[row, :n] = document.answer[:n]
        n_tokens[row] = n
    return Rows(
        [f"{row_prefix}/{document.doc_id}" for document in kept],
        [[document.doc_id] for document in kept],
        input_ids,
        n_tokens,
        loss_mask,
    )


def _empty(length: int) -> Rows:
    return Rows(
        [], [], np.zeros((0, length), np.int32), np.zeros(0, np.int32), np.zeros((0, length), dtype=bool)
    )

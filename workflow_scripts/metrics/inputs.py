"""Batches of a set, from its rows or from its Fisher embeddings."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from workflow_scripts.errors import TooFewRows, UserError
from workflow_scripts.metrics.base import Batch
from workflow_scripts.storage.tables import read_table
from workflow_scripts.tokens.batches import batch_indices
from workflow_scripts.tokens.parts import ANSWER, WHOLE
from workflow_scripts.tokens.rows import (
    Rows,
    answer_portions,
    count_rows,
    read_rows,
    split_rows,
    token_portions,
)
from workflow_scripts.tokens.text_tokenizer import TextTokenizer

FEWEST_BATCHES = 4


def check_batches(batches: int) -> None:
    """With fewer than four batches, an interval would be too wide to be useful."""
    if batches < FEWEST_BATCHES:
        raise UserError(f"{batches} batches: at least {FEWEST_BATCHES} are needed for an interval")


def rows_that_all_have(paths: Iterable[Path], batches: int, rows_per_batch: int) -> int:
    """Rows of a batch such that every set can fill its batches: as many as requested, or as the smallest set allows."""
    for path in paths:
        n_rows = count_set_rows(path)
        if n_rows < batches:
            raise UserError(
                f"{path}: {n_rows} rows of tokens are too few for {batches} batches; give its corpus more text"
            )
        rows_per_batch = min(rows_per_batch, n_rows // batches)
    return rows_per_batch


def compared_indices(
    path: str | Path, n_rows: int, batches: int, rows_per_batch: int, seed: int
) -> list[np.ndarray]:
    """Indices of the rows in each batch of the set at `path`."""
    try:
        return batch_indices(n_rows, batches, rows_per_batch, seed)
    except ValueError as error:
        raise TooFewRows(f"{path}: {error}") from None


def row_batches(
    path: str | Path,
    batches: int,
    rows_per_batch: int,
    seed: int,
    tokenizer: TextTokenizer | None = None,
    part: str = WHOLE,
) -> list[Batch]:
    """Draw the batches of a set from its rows; with a tokenizer, decode them too.

    Answers use the same rows. Text without prompts is all answer.
    """
    return [_batch(path, rows, tokenizer, part) for rows in drawn_rows(path, batches, rows_per_batch, seed)]


def drawn_rows(path: str | Path, batches: int, rows_per_batch: int, seed: int) -> list[Rows]:
    """The rows of each batch; only these are in memory."""
    indices = compared_indices(path, count_set_rows(path), batches, rows_per_batch, seed)
    return split_rows(read_rows(path, np.concatenate(indices)), indices)


def _batch(path: str | Path, rows: Rows, tokenizer: TextTokenizer | None, part: str) -> Batch:
    if part == ANSWER and rows.have_prompts:
        texts = decoded_answers(rows, tokenizer) if tokenizer else None
        if not rows.loss_mask.any() or texts == ():
            raise UserError(
                f"{path}: none of the {len(rows)} rows of a batch contains an answer, so answers cannot be compared; "
                "give batches more rows, or remove measures from alignment.answers"
            )
        return Batch(len(rows), int(rows.loss_mask.sum()), rows=rows, texts=texts, answers=True)
    texts = decoded(rows, tokenizer) if tokenizer else None
    return Batch(len(rows), int(rows.n_tokens.sum()), rows=rows, texts=texts)


def whole_set(path: str | Path, part: str = WHOLE) -> Batch:
    """All rows of a set as one batch, read in portions."""
    n_rows = n_tokens = 0
    for input_ids, real in token_portions(path):
        n_rows += len(input_ids)
        n_tokens += int(real.sum())
    if part == ANSWER:
        of_answers = sum(int(is_answer.sum()) for is_answer, _ in answer_portions(path))
        if of_answers < n_tokens:
            return Batch(n_rows, of_answers, whole=Path(path), answers=True)
    return Batch(n_rows, n_tokens, whole=Path(path))


def count_set_rows(path: str | Path) -> int:
    """Rows of a set; a UserError names a missing file."""
    if not Path(path).is_file():
        raise UserError(f"no file of rows at {path}")
    return count_rows(path)


def decoded(rows: Rows, tokenizer: TextTokenizer) -> tuple[str, ...]:
    """The texts of rows; special tokens such as eos are left out."""
    ids = [row[:n].tolist() for row, n in zip(rows.input_ids, rows.n_tokens, strict=True)]
    return tuple(tokenizer.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def decoded_answers(rows: Rows, tokenizer: TextTokenizer) -> tuple[str, ...]:
    """The answers of each row that has any, one per line."""
    spans, owners = [], []
    for number, (row, is_answer) in enumerate(zip(rows.input_ids, rows.loss_mask, strict=True)):
        borders = np.flatnonzero(np.diff(is_answer, prepend=False, append=False)).reshape(-1, 2)
        spans += [row[start:end].tolist() for start, end in borders]
        owners += [number] * len(borders)
    if not spans:
        return ()
    texts = tokenizer.batch_decode(spans, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    of_rows: dict[int, list[str]] = {}
    for owner, text in zip(owners, texts, strict=True):
        of_rows.setdefault(owner, []).append(text)
    joined = ("\n".join(answers) for answers in of_rows.values())
    return tuple(text for text in joined if text.strip())


def embedding_batches(
    path: str | Path, batches: int, rows_per_batch: int, fewer_rows: bool = False, part: str = WHOLE
) -> list[Batch]:
    """The first batches of a file of Fisher embeddings, drawn with the same seed as those of rows.

    With `fewer_rows` they may be smaller than requested, if the set was too small. For answers only scored positions
    count as tokens.
    """
    table = embeddings_at(path).slice(0, batches)
    if len(table) < batches:
        raise UserError(f"{path} has {len(table)} batches, but {batches} are requested")
    embeddings = table.column("embedding").combine_chunks().flatten().to_numpy().reshape(batches, -1)
    if not np.isfinite(embeddings).all():
        raise ValueError(f"{path} contains values that are not finite")
    found = []
    for row_ids, n_scored, embedding in zip(
        table.column("row_ids").to_pylist(), table.column("n_scored").to_pylist(), embeddings, strict=True
    ):
        if len(row_ids) > rows_per_batch or (len(row_ids) < rows_per_batch and not fewer_rows):
            raise UserError(f"{path} has batches of {len(row_ids)} rows, but {rows_per_batch} are requested")
        # A row has one token more than scored positions: one token is read but not scored.
        only_read = len(row_ids) if part == WHOLE else 0
        found.append(Batch(len(row_ids), int(n_scored) + only_read, embedding=embedding))
    return found


def embeddings_at(path: str | Path) -> pa.Table:
    """The embedded batches of a set in their order; embed_batches leaves none of a set with too few rows."""
    table = read_table(path).sort_by("batch")
    if not len(table):
        raise TooFewRows(f"{path} is empty: its set has too few rows for the batches of this estimator")
    return table


def check_same_length(sets: Mapping[str, Sequence[Batch]]) -> None:
    """Refuse rows or embeddings of different lengths, because they cannot be compared."""
    lengths: dict[int, str] = {}
    for name, batches in sets.items():
        lengths.setdefault(batches[0].length, name)
    if len(lengths) > 1:
        (a, one), (b, other), *_ = lengths.items()
        raise UserError(f"rows or embeddings of different lengths: {a} in {one}, {b} in {other}")

"""Documents as token ids, with the tokens of the answer marked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workflow_scripts.tokens.text_tokenizer import TextTokenizer, token_ids

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class DocumentTokens:
    """One document, ending with eos. `answer` marks the completion of a pair and its eos, or all of a plain text."""

    doc_id: str
    input_ids: np.ndarray  # int32
    answer: np.ndarray  # bool


@dataclass(frozen=True)
class EncodedDocument(DocumentTokens):
    """A document's tokens and the size of its text."""

    n_bytes: int  # of the whole text in UTF-8
    n_answer_bytes: int


def encode_documents(
    tokenizer: TextTokenizer, documents: "pd.DataFrame", chunk: int = 512
) -> Iterator[EncodedDocument]:
    """Encode rows of a documents table in order, `chunk` at a time."""
    for start in range(0, len(documents), chunk):
        part = documents.iloc[start : start + chunk]
        texts, completions = part["text"].tolist(), part["completion"].tolist()
        for document, text, completion in zip(tokens_of(tokenizer, part), texts, completions, strict=True):
            n_bytes = len(text.encode())
            n_answer_bytes = len(completion.encode()) if isinstance(completion, str) else n_bytes
            yield EncodedDocument(
                document.doc_id, document.input_ids, document.answer, n_bytes, n_answer_bytes
            )


def tokens_of(tokenizer: TextTokenizer, documents: "pd.DataFrame") -> Iterator[DocumentTokens]:
    """The tokens of some documents, which are encoded together.

    Prompt and completion are encoded separately, so that no token crosses the border between them.
    """
    eos = np.array([tokenizer.eos_token_id], dtype=np.int32)
    is_pair = documents["completion"].notna()
    first = token_ids(tokenizer, documents["prompt"].where(is_pair, documents["text"]).tolist())
    second = iter(token_ids(tokenizer, documents.loc[is_pair, "completion"].tolist()))
    for doc_id, head, pair in zip(documents["doc_id"].tolist(), first, is_pair.tolist(), strict=True):
        ids = np.concatenate([head, next(second), eos] if pair else [head, eos])
        yield DocumentTokens(doc_id, ids, np.arange(len(ids)) >= (len(head) if pair else 0))

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
    """Encode rows of a documents table in order.

    Prompt and completion are encoded separately, so that no token crosses the border between them.
    """
    eos = np.array([tokenizer.eos_token_id], dtype=np.int32)
    nothing = np.empty(0, dtype=np.int32)
    for start in range(0, len(documents), chunk):
        part = documents.iloc[start : start + chunk]
        is_pair = part["completion"].notna().to_numpy()
        first = token_ids(
            tokenizer,
            [
                prompt if pair else text
                for prompt, text, pair in zip(part["prompt"], part["text"], is_pair, strict=True)
            ],
        )
        second = iter(token_ids(tokenizer, part.loc[is_pair, "completion"].tolist()))
        for doc_id, text, completion, head, pair in zip(
            part["doc_id"], part["text"], part["completion"], first, is_pair, strict=True
        ):
            ids = np.concatenate([head, next(second) if pair else nothing, eos])
            answer = np.arange(len(ids)) >= (len(head) if pair else 0)
            n_bytes = len(text.encode())
            yield EncodedDocument(doc_id, ids, answer, n_bytes, len(completion.encode()) if pair else n_bytes)

"""Documents as token ids, with the tokens of the answer marked."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workflow_scripts.tokens.text_tokenizer import TextTokenizer


@dataclass(frozen=True)
class EncodedDocument:
    """One document, ending with eos. `answer` marks the completion of a pair and its eos, or all of a plain text."""

    doc_id: str
    input_ids: np.ndarray  # int32
    answer: np.ndarray  # bool
    n_bytes: int  # of the whole text in UTF-8
    n_answer_bytes: int


def encode_documents(
    tokenizer: TextTokenizer, documents: pd.DataFrame, chunk: int = 512
) -> Iterator[EncodedDocument]:
    """Encode rows of a documents table in order.

    Prompt and completion are encoded separately, so that no token crosses the border between them.
    """
    eos = [tokenizer.eos_token_id]

    def ids_of(texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        ids: list[list[int]] = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    for start in range(0, len(documents), chunk):
        part = documents.iloc[start : start + chunk]
        is_pair = part["completion"].notna().to_numpy()
        first = ids_of(
            [
                prompt if pair else text
                for prompt, text, pair in zip(part["prompt"], part["text"], is_pair, strict=True)
            ]
        )
        second = iter(ids_of(part.loc[is_pair, "completion"].tolist()))
        for doc_id, text, completion, head, pair in zip(
            part["doc_id"], part["text"], part["completion"], first, is_pair, strict=True
        ):
            tail = next(second) if pair else []
            ids = np.array([*head, *tail, *eos], dtype=np.int32)
            answer = np.arange(len(ids)) >= (len(head) if pair else 0)
            n_bytes = len(text.encode())
            yield EncodedDocument(doc_id, ids, answer, n_bytes, len(completion.encode()) if pair else n_bytes)

"""Rows of real text from packages that every Python with torch and numpy has, so no download is needed."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
from transformers import PreTrainedTokenizerBase

from workflow_scripts.corpora.sources import environment
from workflow_scripts.tokens.encode import encode_documents
from workflow_scripts.tokens.layouts import pack
from workflow_scripts.tokens.rows import Rows, joined
from workflow_scripts.tokens.tokenizer import train_tokenizer

KINDS = {
    "docstrings": {"kind": "docstrings", "packages": ["numpy", "scipy"]},
    "code": {"kind": "code", "packages": ["transformers"]},
    "headers": {"kind": "headers", "packages": ["torch"]},
}
BYTES = {"full": 3_000_000, "tiny": 60_000}
VOCABULARY = {"full": 8_192, "tiny": 300}


@dataclass(frozen=True)
class Text:
    """Documents by corpus, and the tokenizer trained on them."""

    documents: dict[str, pd.DataFrame]
    tokenizer: PreTrainedTokenizerBase

    def rows(self, corpus: str, length: int) -> Rows:
        return joined(list(pack(encode_documents(self.tokenizer, self.documents[corpus]), length, corpus)))

    @property
    def token_ids(self) -> int:
        return len(self.tokenizer)


def read_text(size: str) -> Text:
    """Three corpora of this Python's own packages and a byte-level tokenizer for them."""
    documents = {}
    for name, spec in KINDS.items():
        reading = environment.read({**spec, "limit_bytes": BYTES[size]})
        most = None if size == "full" else 40
        texts = [document.text for document in islice(reading.documents, most)]
        table = pd.DataFrame({"text": texts, "prompt": None, "completion": None})
        documents[name] = table.assign(doc_id=[f"{name}/{number}" for number in range(len(texts))])
    together = pd.concat(documents.values())["text"]
    return Text(documents, train_tokenizer(together, VOCABULARY[size]))


def mixed_rows(text: Text, length: int) -> np.ndarray:
    """The rows of all corpora in one random order."""
    ids = np.concatenate([text.rows(corpus, length).input_ids for corpus in text.documents])
    return np.random.default_rng(0).permutation(ids)

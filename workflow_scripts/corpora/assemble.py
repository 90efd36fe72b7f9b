"""The documents of a corpus: which side each is on, and what the manifest says of them."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from workflow_scripts.corpora.documents import SourceDocument, stable_hash
from workflow_scripts.storage.documents import Document


def split_of(source_object: str, held_out: float, seed: int) -> str:
    """`eval` for a share `held_out` of all source objects, by a hash, so that corpora agree on an object."""
    return "eval" if stable_hash("split", seed, source_object) < held_out * 2**64 else "train"


def split_documents(
    documents: Iterable[SourceDocument], held_out: float, seed: int, skipped: Counter[str]
) -> Iterator[Document]:
    """The documents with their sides, in the order of their source; `skipped` counts those that are left out."""
    for document in documents:
        if not document.text.strip() or not _is_unicode(document.text):
            skipped["documents that are empty or not valid Unicode"] += 1
            continue
        split = split_of(document.source_object, held_out, seed)
        pair = (document.prompt, document.completion)
        yield Document(document.name, document.source_object, split, document.text, *pair)


class Description:
    """Documents and bytes per split, and a hash over ids, splits and texts in order."""

    def __init__(self) -> None:
        self._documents, self._bytes = {"train": 0, "eval": 0}, {"train": 0, "eval": 0}
        self._digest = hashlib.sha256()

    def reading(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The same tables of documents; each is described as it goes by."""
        for table in tables:
            columns = [
                table[name].cast(pa.binary()).to_pylist() for name in ("doc_id", "split", "prompt", "text")
            ]
            for name, side, prompt, text in zip(*columns, strict=True):
                self._digest.update(b"\0".join((name, side, prompt or b"", text, b"")))
                self._documents[side.decode()] += 1
                self._bytes[side.decode()] += len(text)
            yield table

    def as_dict(self) -> dict[str, Any]:
        return {
            "documents": self._documents,
            "bytes": self._bytes,
            "content_hash": self._digest.hexdigest(),
        }


def content_hash(tables: Iterable[pa.Table]) -> str:
    """The hash of documents that are needed for nothing else."""
    description = Description()
    for _ in description.reading(tables):
        pass
    found: str = description.as_dict()["content_hash"]
    return found


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

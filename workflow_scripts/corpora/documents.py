"""What a source yields: documents, and the origin that the manifest records."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class SourceDocument:
    """One text. `source_object` is the unit of the split: a module, a file, a row.

    Pairs have a prompt and a completion; their text is both joined, with templates applied.
    """

    name: str
    source_object: str
    text: str
    prompt: str | None = None
    completion: str | None = None

    @classmethod
    def pair(cls, name: str, source_object: str, prompt: str, completion: str) -> "SourceDocument":
        return cls(name, source_object, prompt + completion, prompt, completion)


@dataclass
class Reading:
    """A source being read: its documents and its origin.

    `skipped` counts documents left out, by reason; it is complete once all documents have been read.
    """

    documents: Iterator[SourceDocument]
    provenance: dict[str, Any]
    skipped: Counter[str] = field(default_factory=Counter)


def stable_hash(*parts: object) -> int:
    """A 64-bit hash of the parts, the same in every process and on every machine."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")

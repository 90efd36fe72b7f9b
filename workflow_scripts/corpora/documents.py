"""What a source yields: documents, and what the manifest should say of where they came from."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class SourceDocument:
    """One text. `source_object` is what the split goes by: a module, a file, a row.

    Pairs carry a prompt and a completion, and their text is the two joined, templates applied.
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
    """A source being read: its documents, and what is known of it.

    `skipped` counts what was left out and why; it is complete once the documents have been read.
    """

    documents: Iterator[SourceDocument]
    provenance: dict[str, Any]
    skipped: Counter[str] = field(default_factory=Counter)


def stable_hash(*parts: object) -> int:
    """A 64-bit hash of the parts that is the same in every process and on every machine."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")

"""The target: the rows on which a model should do well."""

from dataclasses import dataclass

from workflow_scripts.errors import UserError
from workflow_scripts.storage.documents import read_side
from workflow_scripts.texts.words import Words, find_words

MINIMUM_WORDS = 500
"""With fewer words, the frequencies of words in the target are hardly known."""


@dataclass(frozen=True)
class Target:
    doc_ids: list[str]
    texts: list[bytes]
    words: Words


def read_target(path: str, split: str) -> Target:
    """The documents on one side of a corpus."""
    documents = read_side(path, split)
    texts = [text.encode() for text in documents["text"]]
    words = find_words(texts)
    if len(words.hashes) < MINIMUM_WORDS:
        raise UserError(
            f"{path}: the {split} side of the target has {len(words.hashes)} words in {len(texts)} rows, but at least "
            f"{MINIMUM_WORDS} are needed; add more rows"
        )
    return Target(documents["doc_id"].tolist(), texts, words)

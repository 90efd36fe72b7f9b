"""Corpora made from another corpus' documents, after its split, so that nothing crosses the sides.

A derived document keeps the split and the source object of the document it was made from.
"""

import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from workflow_scripts.corpora.documents import stable_hash
from workflow_scripts.errors import UserError
from workflow_scripts.storage.documents import Document

_WORD = re.compile(r"\s*\S+")

Reading = Callable[[], Iterable[Document]]
"""Reads the documents of the base from the start."""


class _Derived(NamedTuple):
    """A text made from a document of the base."""

    base: Document
    suffix: str
    text: str


def derive(base: Reading, kind: str, seed: int) -> Iterator[Document]:
    """The documents derived from those of a base."""
    if kind not in KINDS:
        raise UserError(f"derived corpus: kind {kind!r} is not one of {', '.join(KINDS)}")
    for document, suffix, text in KINDS[kind](base, seed):
        if text.strip():
            yield Document(f"{document.doc_id}{suffix}", document.source_object, document.split, text)


def _unpaired(base: Reading, seed: int) -> Iterator[_Derived]:
    """Both sides of each pair, as plain documents apart from each other."""
    for document, prompt, completion in _pairs(base):
        yield _Derived(document, ":prompt", prompt.strip())
        yield _Derived(document, ":completion", completion.strip())


def _prose_only(base: Reading, seed: int) -> Iterator[_Derived]:
    """Only the prompts."""
    for document, prompt, _ in _pairs(base):
        yield _Derived(document, ":prompt", prompt.strip())


def _word_shuffled(base: Reading, seed: int) -> Iterator[_Derived]:
    """The words of each document in another order, each with the white space before it."""
    for document in base():
        words = words_of(document.text)
        order = _generator(seed, document.doc_id).permutation(len(words))
        yield _Derived(document, ":shuffled", _joined(words[at] for at in order))


def _vocabulary_only(base: Reading, seed: int) -> Iterator[_Derived]:
    """Words drawn with replacement from the base's train side, so that only its unigrams remain."""
    # All words of the side in their order, as 4-byte numbers: texts would need twenty times as much memory.
    numbers: dict[str, int] = {}
    pool = array("i")
    for document in base():
        if document.split == "train":
            pool.extend(numbers.setdefault(word, len(numbers)) for word in words_of(document.text))
    if not pool:
        raise UserError(
            "derived corpus: the train side of the base is empty, so vocabulary_only has no words; lower held_out"
        )
    vocabulary = list(numbers)
    for document in base():
        count = len(words_of(document.text))
        draws = _generator(seed, document.doc_id).integers(len(pool), size=count)
        yield _Derived(document, ":vocabulary", _joined(vocabulary[pool[at]] for at in draws))


def words_of(text: str) -> list[str]:
    """Words, each with the white space before it; the first gets a space, so that it can move elsewhere."""
    return _WORD.findall(text if text[:1].isspace() else f" {text}")


def _joined(words: Iterable[str]) -> str:
    return "".join(words).lstrip()


def _generator(seed: int, doc_id: str) -> np.random.Generator:
    """One stream per document, so that a document added elsewhere changes no other."""
    return np.random.default_rng(stable_hash("derived", seed, doc_id))


def _pairs(base: Reading) -> Iterator[tuple[Document, str, str]]:
    is_plain = True
    for document in base():
        if document.prompt is not None and document.completion is not None:
            is_plain = False
            yield document, document.prompt, document.completion
    if is_plain:
        raise UserError("derived corpus: the base has only plain text; this kind needs a base with pairs")


KINDS: dict[str, Callable[[Reading, int], Iterator[_Derived]]] = {
    "unpaired": _unpaired,
    "prose_only": _prose_only,
    "word_shuffled": _word_shuffled,
    "vocabulary_only": _vocabulary_only,
}

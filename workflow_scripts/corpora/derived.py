"""Corpora made from another corpus' documents, after its split, so that nothing crosses the sides.

A derived document keeps the split and the source object of the document it was made from.
"""

import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd

from workflow_scripts.corpora.documents import stable_hash
from workflow_scripts.errors import UserError

_WORD = re.compile(r"\s*\S+")


def derive(base: pd.DataFrame, kind: str, seed: int) -> pd.DataFrame:
    """The derived documents table of a base documents table."""
    if kind not in KINDS:
        raise UserError(f"derived corpus: kind {kind!r} is not one of {', '.join(KINDS)}")
    rows = [
        (f"{doc_id}{suffix}", source_object, split, text, None, None)
        for doc_id, source_object, split, suffix, text in KINDS[kind](base, seed)
        if text.strip()
    ]
    return pd.DataFrame(rows, columns=list(base.columns), dtype=object)


_Derived = Iterator[tuple[str, str, str, str, str]]


def _unpaired(base: pd.DataFrame, seed: int) -> _Derived:
    """Both sides of each pair, as plain documents apart from each other."""
    for row in _pairs(base):
        yield row.doc_id, row.source_object, row.split, ":prompt", row.prompt.strip()
        yield row.doc_id, row.source_object, row.split, ":completion", row.completion.strip()


def _prose_only(base: pd.DataFrame, seed: int) -> _Derived:
    """Only the prompts."""
    for row in _pairs(base):
        yield row.doc_id, row.source_object, row.split, ":prompt", row.prompt.strip()


def _word_shuffled(base: pd.DataFrame, seed: int) -> _Derived:
    """The words of each document in another order, each with the white space before it."""
    for row in base.itertuples(index=False):
        words = words_of(row.text)
        order = _generator(seed, row.doc_id).permutation(len(words))
        yield row.doc_id, row.source_object, row.split, ":shuffled", _joined(words[at] for at in order)


def _vocabulary_only(base: pd.DataFrame, seed: int) -> _Derived:
    """Words drawn with replacement from the base's train side, so that only its unigrams remain."""
    pool = [word for text in base.loc[base["split"] == "train", "text"] for word in words_of(text)]
    if not pool:
        raise UserError(
            "derived corpus: the train side of the base is empty, so vocabulary_only has no words; lower held_out"
        )
    for row in base.itertuples(index=False):
        draws = _generator(seed, row.doc_id).integers(len(pool), size=len(words_of(row.text)))
        yield row.doc_id, row.source_object, row.split, ":vocabulary", _joined(pool[at] for at in draws)


def words_of(text: str) -> list[str]:
    """Words, each with the white space before it; the first gets a space, so that it can move elsewhere."""
    return _WORD.findall(text if text[:1].isspace() else f" {text}")


def _joined(words: Iterable[str]) -> str:
    return "".join(words).lstrip()


def _generator(seed: int, doc_id: str) -> np.random.Generator:
    """One stream per document, so that a document added elsewhere changes no other."""
    return np.random.default_rng(stable_hash("derived", seed, doc_id))


def _pairs(base: pd.DataFrame) -> Iterator:
    pairs = base[base["completion"].notna()]
    if pairs.empty:
        raise UserError("derived corpus: the base has only plain text; this kind needs a base with pairs")
    yield from pairs.itertuples(index=False)


KINDS: dict[str, Callable[[pd.DataFrame, int], _Derived]] = {
    "unpaired": _unpaired,
    "prose_only": _prose_only,
    "word_shuffled": _word_shuffled,
    "vocabulary_only": _vocabulary_only,
}

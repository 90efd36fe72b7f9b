"""Make a corpus from the documents of a source: split them, remove duplicates, count them."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pandas as pd

from workflow_scripts.corpora.documents import SourceDocument, stable_hash
from workflow_scripts.corpora.near_duplicates import RULE, near_duplicates
from workflow_scripts.errors import UserError

COLUMNS = ["doc_id", "source_object", "split", "text", "prompt", "completion"]


def split_of(source_object: str, held_out: float, seed: int) -> str:
    """`eval` for a share `held_out` of all source objects, by a hash, so that corpora agree on an object."""
    return "eval" if stable_hash("split", seed, source_object) < held_out * 2**64 else "train"


def split_documents(
    documents: Iterable[SourceDocument], held_out: float, seed: int, skipped: Counter[str]
) -> pd.DataFrame:
    """The table of documents, in the order of their source."""
    rows = []
    for document in documents:
        if not document.text.strip() or not _is_unicode(document.text):
            skipped["documents that are empty or not valid Unicode"] += 1
            continue
        split = split_of(document.source_object, held_out, seed)
        pair = (document.prompt, document.completion)
        rows.append((document.name, document.source_object, split, document.text, *pair))
    frame = pd.DataFrame(rows, columns=COLUMNS, dtype=object)
    if frame["doc_id"].duplicated().any():
        name = frame.loc[frame["doc_id"].duplicated(), "doc_id"].iloc[0]
        raise ValueError(f"two documents have the name {name!r}")
    return frame


def clean(frame: pd.DataFrame, other_train_texts: Iterable[str] = ()) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Remove exact duplicates anywhere, then evaluation documents that nearly repeat training text.

    Of equal documents the first on the train side is kept, or else the first.
    """
    train_first = frame.sort_values("split", ascending=False, kind="stable")
    unique = frame.loc[train_first.drop_duplicates("text").index.sort_values()]
    held_out = unique[unique["split"] == "eval"]
    texts = held_out["text"].tolist()
    near_own = near_duplicates(texts, unique.loc[unique["split"] == "train", "text"])
    near_other = near_duplicates(texts, other_train_texts) & ~near_own
    kept = unique.drop(held_out.index[near_own | near_other]).reset_index(drop=True)
    counts = {
        "duplicates_removed": len(frame) - len(unique),
        "near_duplicates_removed": {
            "of_own_train_side": int(near_own.sum()),
            "of_other_corpora": int(near_other.sum()),
        },
        "near_duplicate_rule": RULE,
    }
    return kept, counts


def describe(frame: pd.DataFrame) -> dict[str, Any]:
    """Documents and bytes per split, and a hash over ids, splits and texts in order."""
    if frame.empty:
        raise UserError("no document is left; check the corpus' columns, filters and limits")
    digest = hashlib.sha256()
    for row in frame.itertuples(index=False):
        for value in (row.doc_id, row.split, row.prompt if row.prompt is not None else "", row.text):
            digest.update(value.encode() + b"\0")
    sizes = frame["text"].map(lambda text: len(text.encode())).groupby(frame["split"]).agg(["size", "sum"])
    sides = {
        side: sizes.loc[side] if side in sizes.index else {"size": 0, "sum": 0} for side in ("train", "eval")
    }
    return {
        "documents": {side: int(size["size"]) for side, size in sides.items()},
        "bytes": {side: int(size["sum"]) for side, size in sides.items()},
        "content_hash": digest.hexdigest(),
    }


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

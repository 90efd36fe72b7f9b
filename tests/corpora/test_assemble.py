"""Splits and cleaning."""

from collections import Counter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.corpora.assemble import COLUMNS, clean, describe, split_documents, split_of
from workflow_scripts.corpora.documents import SourceDocument
from workflow_scripts.errors import UserError


def table(*rows: tuple[str, str]) -> pd.DataFrame:
    """Documents of (split, text)."""
    return pd.DataFrame(
        [(f"d{at}", f"o{at}", split, text, None, None) for at, (split, text) in enumerate(rows)],
        columns=COLUMNS,
        dtype=object,
    )


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_held_out_share_holds_out_what_a_smaller_one_does(source_object, one, other):
    small, large = sorted((one, other))
    if split_of(source_object, small, 0) == "eval":
        assert split_of(source_object, large, 0) == "eval"
    assert split_of(source_object, 0.0, 0) == "train"
    assert split_of(source_object, 1.0, 0) == "eval"


def test_the_share_held_out_is_about_what_was_asked():
    sides = Counter(split_of(f"object {number}", 0.2, 0) for number in range(5000))
    assert 0.18 < sides["eval"] / 5000 < 0.22
    assert [split_of(f"{n}", 0.5, 0) for n in range(50)] != [split_of(f"{n}", 0.5, 1) for n in range(50)]


def test_documents_of_an_object_stay_on_one_side_and_in_the_order_of_their_source():
    documents = [SourceDocument(f"{n}", f"object {n // 10}", f"text {n}") for n in range(300)]
    frame = split_documents(documents, 0.3, 0, Counter())
    assert (frame.groupby("source_object")["split"].nunique() == 1).all()
    assert set(frame["split"]) == {"train", "eval"}
    assert frame["doc_id"].tolist() == [f"{n}" for n in range(300)]


def test_empty_and_broken_texts_are_skipped_and_counted():
    skipped: Counter[str] = Counter()
    documents = [
        SourceDocument("a", "a", " \n"),
        SourceDocument("b", "b", "\ud800"),
        SourceDocument("c", "c", "x"),
    ]
    assert split_documents(documents, 0, 0, skipped)["doc_id"].tolist() == ["c"]
    assert skipped.total() == 2


def test_two_documents_of_one_name_are_a_bug():
    with pytest.raises(ValueError, match="'a'"):
        split_documents([SourceDocument("a", "a", "x"), SourceDocument("a", "a", "y")], 0, 0, Counter())


def test_of_equal_texts_the_one_on_the_train_side_stays():
    frame, counts = clean(
        table(("eval", "same text"), ("train", "same text"), ("train", "same text"), ("eval", "b"))
    )
    assert frame["doc_id"].tolist() == ["d1", "d3"]
    assert counts["duplicates_removed"] == 2


def test_near_duplicates_leave_the_eval_side_only():
    long = " ".join(f"word{n}" for n in range(40))
    frame, counts = clean(
        table(
            ("train", long),
            ("train", f"{long} tail"),
            ("eval", f"{long} end"),
            ("eval", "other words entirely"),
        ),
        other_train_texts=["other words entirely and no more"],
    )
    assert frame["doc_id"].tolist() == ["d0", "d1", "d3"]
    assert counts["near_duplicates_removed"] == {"of_own_train_side": 1, "of_other_corpora": 0}


def test_near_duplicates_of_other_corpora_are_counted_apart():
    words = [f"word{n}" for n in range(40)]
    frame, counts = clean(table(("train", "x"), ("eval", " ".join(words))), [" ".join(words[:38])])
    assert frame["doc_id"].tolist() == ["d0"]
    assert counts["near_duplicates_removed"] == {"of_own_train_side": 0, "of_other_corpora": 1}


def test_the_description_counts_bytes_and_notices_each_change():
    first = describe(table(("train", "é"), ("eval", "abc")))
    assert first["documents"] == {"train": 1, "eval": 1}
    assert first["bytes"] == {"train": 2, "eval": 3}
    assert first["content_hash"] != describe(table(("train", "é"), ("train", "abc")))["content_hash"]
    with pytest.raises(UserError, match="no document"):
        describe(table())

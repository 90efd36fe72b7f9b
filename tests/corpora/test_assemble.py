"""Sides, and what the manifest says."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.corpora.assemble import Description, content_hash, split_documents, split_of
from workflow_scripts.corpora.documents import SourceDocument
from workflow_scripts.storage.documents import Document, as_tables, documents_of


def made(*rows: tuple[str, str]) -> list[Document]:
    """Documents of (split, text)."""
    return [Document(f"d{at}", f"o{at}", split, text) for at, (split, text) in enumerate(rows)]


def tables(*rows: tuple[str, str]):
    return as_tables(made(*rows))


def described(documents: list[Document]) -> dict:
    description = Description()
    assert [
        document for table in description.reading(as_tables(documents)) for document in documents_of(table)
    ] == documents
    return description.as_dict()


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
    found = list(split_documents(documents, 0.3, 0, Counter()))
    assert len({(document.source_object, document.split) for document in found}) == 30
    assert {document.split for document in found} == {"train", "eval"}
    assert [document.doc_id for document in found] == [f"{n}" for n in range(300)]


def test_empty_and_broken_texts_are_skipped_and_counted():
    skipped: Counter[str] = Counter()
    documents = [
        SourceDocument("a", "a", " \n"),
        SourceDocument("b", "b", "\ud800"),
        SourceDocument("c", "c", "x"),
    ]
    assert [document.doc_id for document in split_documents(documents, 0, 0, skipped)] == ["c"]
    assert skipped.total() == 2


def test_the_description_counts_bytes_and_notices_each_change():
    first = described(made(("train", "é"), ("eval", "abc")))
    assert first["documents"] == {"train": 1, "eval": 1}
    assert first["bytes"] == {"train": 2, "eval": 3}
    assert first["content_hash"] == content_hash(tables(("train", "é"), ("eval", "abc")))
    assert first["content_hash"] != content_hash(tables(("train", "é"), ("train", "abc")))
    assert described([])["documents"] == {"train": 0, "eval": 0}

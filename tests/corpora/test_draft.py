"""Documents on disk while duplicates are removed."""

import tempfile

import pytest

from workflow_scripts.corpora.draft import Draft
from workflow_scripts.storage import documents as table
from workflow_scripts.storage.documents import SCHEMA, Document, as_tables, documents_of, read_documents
from workflow_scripts.storage.tables import write_portions
from workflow_scripts.texts import progress


@pytest.fixture
def cleaned():
    """Write documents of (split, text) to a draft, remove duplicates; returns the documents kept, and the counts."""

    def run(*rows: tuple[str, str], others: tuple[str, ...] = ()) -> tuple[list[Document], dict]:
        with tempfile.TemporaryFile() as file:
            draft = Draft(file)
            draft.write(Document(f"d{at}", f"o{at}", split, text) for at, (split, text) in enumerate(rows))
            counts = draft.remove_duplicates(others)
            return [document for found in draft.kept() for document in documents_of(found)], counts

    return run


def names(documents: list[Document]) -> list[str]:
    return [document.doc_id for document in documents]


def test_of_equal_texts_the_one_on_the_train_side_stays(cleaned):
    documents, counts = cleaned(
        ("eval", "same text"), ("train", "same text"), ("train", "same text"), ("eval", "b")
    )
    assert names(documents) == ["d1", "d3"]
    assert counts["duplicates_removed"] == 2


def test_of_equal_texts_on_one_side_the_first_stays(cleaned):
    assert names(cleaned(("eval", "a"), ("eval", "b"), ("eval", "a"), ("eval", "b"))[0]) == ["d0", "d1"]


def test_near_duplicates_leave_the_eval_side_only(cleaned):
    long = " ".join(f"word{n}" for n in range(40))
    documents, counts = cleaned(
        ("train", long),
        ("train", f"{long} tail"),
        ("eval", f"{long} end"),
        ("eval", "other words entirely"),
        others=("other words entirely and no more",),
    )
    assert names(documents) == ["d0", "d1", "d3"]
    assert counts["near_duplicates_removed"] == {"of_own_train_side": 1, "of_other_corpora": 0}


def test_near_duplicates_of_other_corpora_are_counted_apart(cleaned):
    words = [f"word{n}" for n in range(40)]
    documents, counts = cleaned(("train", "x"), ("eval", " ".join(words)), others=(" ".join(words[:38]),))
    assert names(documents) == ["d0"]
    assert counts["near_duplicates_removed"] == {"of_own_train_side": 0, "of_other_corpora": 1}


def test_two_documents_of_one_name_are_a_bug():
    with tempfile.TemporaryFile() as file:
        draft = Draft(file)
        draft.write(
            [
                Document("a", "a", "train", "x"),
                Document("b", "b", "train", "y"),
                Document("a", "a", "eval", "z"),
            ]
        )
        with pytest.raises(ValueError, match="'a'"):
            draft.remove_duplicates()


def test_portions_change_nothing(cleaned, monkeypatch, tmp_path):
    rows = [("eval" if n % 3 else "train", f"{'word ' * (n % 7)}{n % 23}") for n in range(100)]
    whole = cleaned(*rows)
    monkeypatch.setattr(table, "_ROWS", 7)
    assert cleaned(*rows) == whole
    monkeypatch.setattr(table, "_CHARACTERS", 40)
    assert cleaned(*rows) == whole
    write_portions(as_tables(whole[0]), SCHEMA, tmp_path / "documents.parquet")
    assert list(read_documents(tmp_path / "documents.parquet")) == whole[0]


def test_nothing_is_left_of_nothing(cleaned):
    assert cleaned()[0] == []


def test_a_long_reading_tells_how_much_is_left(cleaned, monkeypatch, caplog):
    monkeypatch.setattr(table, "_ROWS", 5)
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    with caplog.at_level("INFO"):
        cleaned(*[("eval" if n % 2 else "train", f"text {n}") for n in range(40)])
    assert "documents: " in caplog.text
    assert "comparison of sides: " in caplog.text
    assert " s left" in caplog.text

import pytest

from workflow_scripts.corpora.documents import SourceDocument
from workflow_scripts.corpora.sampling import PIECE, Counted, sample


def _documents(count: int) -> list[SourceDocument]:
    return [SourceDocument(f"f#{i}", f"f#{i}", f"{i:04d} " + "x" * 95) for i in range(count)]


def test_as_much_as_asked_for_in_the_order_of_the_source_and_all_is_counted():
    counted = Counted()
    drawn = list(sample(_documents(1000), 5000, 0, counted))
    assert sum(len(one.text) for one in drawn) == 5000
    assert [one.name for one in drawn] == sorted((one.name for one in drawn), key=lambda n: int(n[2:]))
    assert counted == Counted(documents=1000, bytes=100_000)


def test_drawn_from_everywhere_and_by_the_seed():
    drawn = [int(one.name[2:]) for one in sample(_documents(1000), 10_000, 0, Counted())]
    assert sum(place < 500 for place in drawn) == pytest.approx(50, abs=20)
    assert drawn == [int(one.name[2:]) for one in sample(_documents(1000), 10_000, 0, Counted())]
    assert drawn != [int(one.name[2:]) for one in sample(_documents(1000), 10_000, 1, Counted())]


def test_rows_added_at_the_end_change_little():
    before = {one.name for one in sample(_documents(1000), 10_000, 0, Counted())}
    after = {one.name for one in sample(_documents(1100), 10_000, 0, Counted())}
    assert len(before & after) >= 80


def test_a_source_smaller_than_the_sample_is_taken_whole():
    documents = _documents(10)
    assert list(sample(documents, 10**6, 0, Counted())) == documents


def test_a_book_is_drawn_in_pieces_that_end_with_a_word_and_lose_nothing():
    text = "word " * (PIECE // 2)
    book = SourceDocument("b#0", "b#0", text)
    whole = list(sample([book], 10**9, 0, Counted()))
    assert "".join(one.text for one in whole) == text
    assert all(one.text.endswith(" ") and one.source_object == "b#0" for one in whole)
    part = list(sample([book], PIECE, 0, Counted()))
    assert len(part) < len(whole)
    unbroken = SourceDocument("c#0", "c#0", "x" * (2 * PIECE + 1))
    assert [len(one.text) for one in sample([unbroken], 10**9, 0, Counted())] == [PIECE, PIECE, 1]


def test_a_pair_stays_whole():
    pair = SourceDocument.pair("p#0", "p#0", "a" * PIECE, "b" * PIECE)
    assert list(sample([pair], 1000, 0, Counted())) == [pair]

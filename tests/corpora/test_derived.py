"""Derived corpora keep sides and objects, and change what they say they change."""

from collections import Counter

import pytest

from workflow_scripts.corpora import derived as derived_module
from workflow_scripts.errors import UserError
from workflow_scripts.storage.documents import Document


def derive(base: list[Document], kind: str, seed: int) -> list[Document]:
    return list(derived_module.derive(lambda: base, kind, seed))


def pairs() -> list[Document]:
    return [
        Document(
            f"d{n}",
            f"o{n}",
            "eval" if n % 4 == 0 else "train",
            f"ask {n}\nanswer {n}",
            f"ask {n}\n",
            f"answer {n}",
        )
        for n in range(20)
    ]


def texts() -> list[Document]:
    return [
        Document(
            f"d{n}", f"o{n}", "eval" if n == 0 else "train", f"Some words of {n},\n  then {n} more words."
        )
        for n in range(30)
    ]


def test_unpaired_gives_both_sides_as_plain_documents():
    derived = derive(pairs(), "unpaired", 0)
    assert len(derived) == 40
    assert derived[:2] == [
        Document("d0:prompt", "o0", "eval", "ask 0"),
        Document("d0:completion", "o0", "eval", "answer 0"),
    ]


def test_prose_only_gives_the_prompts():
    assert [document.text for document in derive(pairs(), "prose_only", 0)] == [f"ask {n}" for n in range(20)]


@pytest.mark.parametrize("kind", ["unpaired", "prose_only"])
def test_plain_text_has_no_sides(kind):
    with pytest.raises(UserError, match="a base with pairs"):
        derive(texts(), kind, 0)


def test_word_shuffled_keeps_the_words_and_their_spaces_and_loses_their_order():
    base, derived = texts(), derive(texts(), "word_shuffled", 0)
    assert [document.split for document in derived] == [document.split for document in base]
    for before, after in zip(base, derived, strict=True):
        assert Counter(before.text.split()) == Counter(after.text.split())
        assert "\n  then" in after.text or after.text.startswith("then")
    assert sum(a.text == b.text for a, b in zip(base, derived, strict=True)) < 3


def test_a_document_is_shuffled_alike_whatever_else_there_is():
    (alone,) = derive([texts()[5]], "word_shuffled", 0)
    assert derive(texts(), "word_shuffled", 0)[5] == alone
    (other,) = derive([texts()[5]], "word_shuffled", 1)
    assert other.text != alone.text


def test_vocabulary_only_draws_from_the_unigrams_of_the_train_side():
    base = texts()
    base[0] = base[0]._replace(text="leaked secret words here and nowhere else")
    base[1] = base[1]._replace(text="rare")
    derived = [document.text.split() for document in derive(base, "vocabulary_only", 0)]
    assert [len(words) for words in derived] == [len(document.text.split()) for document in base]
    train_words = {word for document in base[1:] for word in document.text.split()}
    assert {word for words in derived for word in words} <= train_words
    # 29 train documents of 8 words each, of which two are "words": a quarter, less four of them.
    share = Counter(word for words in derived for word in words)["words"] / 230
    assert 0.05 < share < 0.25


def test_vocabulary_only_needs_a_train_side():
    with pytest.raises(UserError, match="train side"):
        derive(texts()[:1], "vocabulary_only", 0)


def test_an_unknown_kind_is_named():
    with pytest.raises(UserError, match="'reversed' is not one of unpaired, prose_only"):
        derive(texts(), "reversed", 0)

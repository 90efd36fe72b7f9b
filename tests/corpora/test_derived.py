"""Derived corpora keep sides and objects, and change what they say they change."""

from collections import Counter

import pandas as pd
import pytest

from workflow_scripts.corpora.assemble import COLUMNS
from workflow_scripts.corpora.derived import derive
from workflow_scripts.errors import UserError


def pairs() -> pd.DataFrame:
    rows = [
        (
            f"d{n}",
            f"o{n}",
            "eval" if n % 4 == 0 else "train",
            f"ask {n}\nanswer {n}",
            f"ask {n}\n",
            f"answer {n}",
        )
        for n in range(20)
    ]
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def texts() -> pd.DataFrame:
    rows = [
        (
            f"d{n}",
            f"o{n}",
            "eval" if n == 0 else "train",
            f"Some words of {n},\n  then {n} more words.",
            None,
            None,
        )
        for n in range(30)
    ]
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def test_unpaired_gives_both_sides_as_plain_documents():
    derived = derive(pairs(), "unpaired", 0)
    assert len(derived) == 40
    assert derived.iloc[:2][["doc_id", "source_object", "split", "text"]].to_numpy().tolist() == [
        ["d0:prompt", "o0", "eval", "ask 0"],
        ["d0:completion", "o0", "eval", "answer 0"],
    ]
    assert derived["completion"].isna().all()


def test_prose_only_gives_the_prompts():
    assert derive(pairs(), "prose_only", 0)["text"].tolist() == [f"ask {n}" for n in range(20)]


@pytest.mark.parametrize("kind", ["unpaired", "prose_only"])
def test_plain_text_has_no_sides(kind):
    with pytest.raises(UserError, match="a base with pairs"):
        derive(texts(), kind, 0)


def test_word_shuffled_keeps_the_words_and_their_spaces_and_loses_their_order():
    base, derived = texts(), derive(texts(), "word_shuffled", 0)
    assert derived["split"].tolist() == base["split"].tolist()
    for before, after in zip(base["text"], derived["text"], strict=True):
        assert Counter(before.split()) == Counter(after.split())
        assert "\n  then" in after or after.startswith("then")
    assert sum(a == b for a, b in zip(base["text"], derived["text"], strict=True)) < 3


def test_a_document_is_shuffled_alike_whatever_else_there_is():
    alone = derive(texts().iloc[[5]], "word_shuffled", 0)["text"].item()
    assert derive(texts(), "word_shuffled", 0)["text"].iat[5] == alone
    assert derive(texts().iloc[[5]], "word_shuffled", 1)["text"].item() != alone


def test_vocabulary_only_draws_from_the_unigrams_of_the_train_side():
    base = texts()
    base.loc[0, "text"] = "leaked secret words here and nowhere else"
    base.loc[1, "text"] = "rare"
    derived = derive(base, "vocabulary_only", 0)
    assert [len(text.split()) for text in derived["text"]] == [len(text.split()) for text in base["text"]]
    train_words = {word for text in base.loc[base["split"] == "train", "text"] for word in text.split()}
    assert {word for text in derived["text"] for word in text.split()} <= train_words
    # 29 train documents of 8 words each, of which two are "words": a quarter, less four of them.
    share = Counter(word for text in derived["text"] for word in text.split())["words"] / 230
    assert 0.05 < share < 0.25


def test_vocabulary_only_needs_a_train_side():
    with pytest.raises(UserError, match="train side"):
        derive(texts().iloc[[0]], "vocabulary_only", 0)


def test_an_unknown_kind_is_named():
    with pytest.raises(UserError, match="'reversed' is not one of unpaired, prose_only"):
        derive(texts(), "reversed", 0)

"""Tokens from those of words equal the tokenizer's own."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, normalizers, pre_tokenizers

from workflow_scripts.tokens import known_words
from workflow_scripts.tokens.encode import encode_documents
from workflow_scripts.tokens.known_words import KnownWords, splits_as_gpt2
from workflow_scripts.tokens.text_tokenizer import open_tokenizer, token_ids
from workflow_scripts.tokens.tokenizer import train_tokenizer

PROSE = "It's 1 of the 23 dogs they've seen, and we'll see; don't  \n\n stop!\t'sss x's 's' \r\n  §5 naïve "
PROSE += "café ½ Ⅷ 数学 e\u0301"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer([PROSE] * 3 + ["and then the dog said hello"] * 9, 400).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def backend(folder):
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def known(backend):
    return KnownWords(backend)


def expected(backend, texts):
    return [encoding.ids for encoding in backend.encode_batch(texts, add_special_tokens=False)]


odd_characters = st.characters(codec="utf-8")
pieces = st.sampled_from(
    [*"aZ19!' \n\t'", "'s", "'ll", "'re", " '", "  ", "\u00a0", "\u2003", "é", "数", "🙂", "Ⅷ", "٣", "\u0301"]
)


@settings(max_examples=50)
@given(st.lists(st.lists(pieces | odd_characters, max_size=20).map("".join), max_size=4))
def test_any_text_has_the_tokens_of_the_library(known, backend, texts):
    assert [ids.tolist() for ids in known.encode(texts)] == expected(backend, texts)


def test_characters_are_split_as_by_the_library(known, backend):
    # All up to the general punctuation, then a sample that has every block of more than 40 characters.
    codes = [*range(0x2100), *range(0x2100, 0xD800, 41), *range(0xE000, 0x30000, 41)]
    text = "".join(f"a{c}1{c}!{c} {c}{c}" for c in map(chr, codes))
    assert known.encode([text])[0].tolist() == expected(backend, [text])[0]


def test_special_tokens_in_a_text_are_those_of_the_library(known, backend):
    texts = ["one<|endoftext|>two", "plain", "<|endoftext|>"]
    found = [ids.tolist() for ids in known.encode(texts)]
    assert found == expected(backend, texts)
    assert 0 in found[0]


def test_words_that_were_forgotten_are_learnt_again(backend, monkeypatch):
    monkeypatch.setattr(known_words, "_MOST_WORDS", 3)
    monkeypatch.setattr(known_words, "_PORTION", 20)
    few = KnownWords(backend)
    texts = [PROSE, "a b c d e f", PROSE[::-1]] * 3
    assert [ids.tolist() for ids in few.encode(texts)] == expected(backend, texts)


def test_only_tokenizers_of_words_like_gpt2s_are_taken(backend):
    assert splits_as_gpt2(backend)
    for change in (
        {"pre_tokenizer": pre_tokenizers.ByteLevel(add_prefix_space=True)},
        {"pre_tokenizer": pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)},
        {"pre_tokenizer": pre_tokenizers.Whitespace()},
        {"normalizer": normalizers.NFC()},
    ):
        other = Tokenizer.from_str(backend.to_str())
        for name, value in change.items():
            setattr(other, name, value)
        assert not splits_as_gpt2(other)
    settings = json.loads(backend.to_str())
    settings["model"]["dropout"] = 0.1
    assert not splits_as_gpt2(Tokenizer.from_str(json.dumps(settings)))


def test_long_texts_are_looked_up_and_short_ones_are_not(folder):
    tokenizer = open_tokenizer(folder)
    short = token_ids(tokenizer, [PROSE])
    assert "_known_words" not in tokenizer.__dict__
    long = token_ids(tokenizer, [PROSE] * 25_000)
    assert "_known_words" in tokenizer.__dict__
    np.testing.assert_array_equal(long[-1], short[0])
    assert long[0].dtype == short[0].dtype == np.int32
    assert token_ids(tokenizer, []) == []


def test_documents_are_the_same_with_both(folder, known):
    pair = {"doc_id": "b", "text": "the dog jumps", "prompt": "the dog", "completion": " jumps"}
    frame = pd.DataFrame([{"doc_id": "a", "text": PROSE, "prompt": None, "completion": None}, pair])
    library, light = open_tokenizer(folder), open_tokenizer(folder)
    token_ids(light, [PROSE] * 25_000)
    for one, other in zip(encode_documents(library, frame), encode_documents(light, frame), strict=True):
        assert one.doc_id == other.doc_id
        np.testing.assert_array_equal(one.input_ids, other.input_ids)
        np.testing.assert_array_equal(one.answer, other.answer)

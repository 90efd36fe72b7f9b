"""Words, n-grams and texts as hashes."""

import re
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.compilation import compiled
from workflow_scripts.texts.characters import SCRIPTS
from workflow_scripts.texts.words import (
    distinct_shingles,
    find_words,
    ngrams,
    owners,
    shingles,
    whole,
)

WORD = re.compile(r"\w+|[^\w\s]")
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def hashed(*texts):
    return find_words([text.encode() for text in texts])


def split(words):
    return [words.hashes[first:last].tolist() for first, last in pairwise(words.starts)]


@given(st.lists(ASCII, min_size=1, max_size=5))
def test_words_are_those_of_the_rule_for_near_duplicates(texts):
    found = split(hashed(*texts))
    expected = [WORD.findall(text.lower()) for text in texts]
    assert [len(words) for words in found] == [len(words) for words in expected]
    numbers = {}
    for word, number in zip(chain(*expected), chain(*found), strict=True):
        assert numbers.setdefault(word, number) == number
    assert len(set(numbers.values())) == len(numbers)


@given(st.lists(UNICODE, min_size=1, max_size=5))
def test_a_text_has_the_same_words_whatever_stands_beside_it(texts):
    together = hashed(*texts)
    alone = [hashed(text) for text in texts]
    assert split(together) == [one.hashes.tolist() for one in alone]
    assert together.texts.tolist() == [int(one.texts[0]) for one in alone]
    assert (together.letters == sum(one.letters for one in alone)).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Größe und Maß", ["größe", "und", "maß"]),
        ("Съешь ЕЩЁ", ["съешь", "ещё"]),
        ("中文字。かな", ["中", "文", "字", "。", "か", "な"]),
        ("ภาษา", ["ภ", "า", "ษ", "า"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("“quoted”\u00a0— word…", ["“", "quoted", "”", "—", "word", "…"]),
        ("x_1=\u2003y", ["x_1", "=", "y"]),
        ("\U00020000\U0001f600a", ["\U00020000", "\U0001f600", "a"]),
        ("\ufeff\x00 ", []),
    ],
)
def test_words_of_other_scripts(text, words):
    assert split(hashed(text)) == [list(chain(*(split(hashed(word))[0] for word in words)))]
    assert len(split(hashed(text))[0]) == len(words)


@given(st.lists(st.text("ab ", max_size=12), min_size=1, max_size=6), st.integers(1, 5))
def test_ngrams_lie_within_texts(texts, order):
    words = hashed(*texts)
    is_whole = whole(words, order)
    found = ngrams(words, order)[is_whole].tolist()
    expected = [
        tuple(text.split()[n : n + order]) for text in texts for n in range(len(text.split()) - order + 1)
    ]
    assert len(found) == len(expected)
    assert len(set(zip(found, expected, strict=True))) == len(set(found)) == len(set(expected))
    assert owners(words).tolist() == [n for n, text in enumerate(texts) for _ in text.split()]


def test_shingles_know_their_text():
    found, texts = shingles(hashed("a b c d e f", "a b c", "b c d e f"))
    assert texts.tolist() == [0, 0, 2]
    assert found[1] == found[2] != found[0]


def test_texts_are_equal_but_for_case_and_white_space():
    words = hashed("One  two\n", "one TWO", "two one", "onetwo", "")
    assert words.texts[0] == words.texts[1]
    assert len(set(words.texts.tolist())) == 4


def test_damage_and_scripts_are_seen():
    words = hashed("plain\ttext\n", "repl\ufffdced", "nul\x00", "é мир")
    assert words.is_damaged.tolist() == [False, True, True, False]
    counts = dict(zip(SCRIPTS[:-1], words.letters[:-1].tolist(), strict=True))
    assert counts["Latin"] == 9 + 7 + 3 and words.letters[-1] == 1 and counts["Cyrillic"] == 3


def test_hashes_spread():
    """Of 200,000 numbers no two are equal, and each of the leading bits is set in half."""
    hashes = find_words([" ".join(map(str, range(200_000))).encode()]).hashes
    assert len(np.unique(hashes)) == 200_000
    shares = [((hashes >> np.uint64(bit)) & np.uint64(1)).mean() for bit in range(64)]
    assert np.allclose(shares, 0.5, atol=0.01)


def test_a_function_is_compiled_where_no_folder_for_it_can_be_written():
    scope: dict = {}
    exec(compile("def twice(x):\n    return 2 * x\n", "/nowhere/module.py", "exec"), scope)
    assert compiled(scope["twice"])(21) == 42


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=12), min_size=1, max_size=6))
def test_distinct_shingles_agree_with_sets_of_tuples(texts):
    found, texts_of = distinct_shingles(find_words([" ".join(words).encode() for words in texts]))
    expected = [{tuple(words[at : at + 5]) for at in range(max(1, len(words) - 4))} - {()} for words in texts]
    assert np.bincount(texts_of, minlength=len(texts)).tolist() == [len(distinct) for distinct in expected]
    hash_sets = [set(found[texts_of == number]) for number in range(len(texts))]
    for first in range(len(texts)):
        for second in range(len(texts)):
            assert len(hash_sets[first] & hash_sets[second]) == len(expected[first] & expected[second])

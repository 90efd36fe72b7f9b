"""Documents out of Python source: names, prose, pairs."""

import pytest

from workflow_scripts.corpora.cutting import cut
from workflow_scripts.corpora.python_text import (
    code_documents,
    code_pairs,
    docstring_documents,
    doctest_pairs,
)

LONG = (
    "This sentence is here to make the docstring long enough to count as a document of its own, "
    "which takes a hundred and twenty characters."
)

SOURCE = f'''# Copyright of somebody, who reserves all rights.
# More of it.

"""{LONG}"""

import os


class Shape:
    def area(self):
        """{LONG} It is the area."""
        side = self.side
        return side * side

    if os.name == "posix":
        def area(self):
            """{LONG} It is the other area."""
            return 0
'''

DOCTESTS = '''
def integrate(f, x):
    """Compute the integral of a function of one variable.

    Parameters
    ----------
    f : the function that is to be integrated over x

    Examples
    ========

    >>> from maths import integrate, x
    >>> integrate(2*x, x)
    x**2

    A constant of integration is never added:

    >>> integrate(0, x)
    0

    >>> integrate(
    ...     1, x)
    x

    It is an error to name no variable:

    >>> import os
    """
'''


def test_docstrings_are_named_by_where_they_stand():
    documents = list(docstring_documents("package.shapes", SOURCE))
    assert [document.name for document in documents] == [
        "package.shapes",
        "package.shapes:Shape.area",
        "package.shapes:Shape.area@2",
    ]
    assert documents[0].text == LONG
    assert {document.source_object for document in documents} == {"package.shapes"}
    assert documents[0].prompt is None


def test_code_starts_after_the_comment_at_its_head():
    (document,) = code_documents("package.shapes", SOURCE)
    assert document.text.startswith('"""This sentence')
    assert document.text.endswith("return 0")
    with pytest.raises(SyntaxError):
        list(code_documents("package.broken", "def broken(:\n"))


def test_code_pairs_hold_the_function_without_its_docstring():
    (pair,) = code_pairs("package.shapes", SOURCE)  # the other one is too short
    assert pair.prompt == f"{LONG} It is the area.\n"
    assert pair.completion == "def area(self):\n    side = self.side\n    return side * side"
    assert pair.text == pair.prompt + pair.completion


def test_doctest_pairs_join_prose_with_the_expressions_that_follow():
    pairs = list(doctest_pairs("package.integrals", DOCTESTS))
    assert [(pair.prompt, pair.completion) for pair in pairs] == [
        ("Compute the integral of a function of one variable.\n", "integrate(2*x, x)"),
        ("A constant of integration is never added:\n", "integrate(0, x)\nintegrate(\n    1, x)"),
    ]
    assert [pair.name for pair in pairs] == ["package.integrals:integrate#0", "package.integrals:integrate#1"]
    assert all(pair.text == pair.prompt + pair.completion for pair in pairs)


def test_a_long_paragraph_gives_its_last_sentences_to_a_pair():
    filler = "Here is one more sentence that only fills the paragraph up. " * 10
    source = f'"""{filler}The last sentence is what counts here:\n\n>>> value\n1\n"""'
    (pair,) = doctest_pairs("m", source)
    assert len(pair.prompt) <= 401
    assert pair.prompt.startswith("Here is one more")
    assert pair.prompt.endswith("what counts here:\n")


def test_cutting_keeps_paragraphs_whole_and_loses_nothing():
    text = "\n\n".join(f"def function_{number}():\n    return {'x' * 40}" for number in range(20))
    pieces = cut(text, limit=200)
    assert all(len(piece) <= 200 for piece in pieces)
    assert "\n\n".join(pieces) == text
    assert all(piece.startswith("def ") for piece in pieces)


def test_cutting_a_paragraph_too_long_cuts_at_lines():
    text = "\n".join("a line of words" for _ in range(50))
    pieces = cut(text, limit=100)
    assert all(len(piece) <= 100 for piece in pieces)
    assert "\n".join(pieces) == text[: len("\n".join(pieces))]


def test_tables_of_numbers_are_no_pieces_and_a_long_text_gives_its_first_ones():
    numbers = "\n".join("0.123456789012345, 0.987654321098765," for _ in range(20))
    words = "words come first here " * 10
    assert cut(f"{words}\n\n{numbers}", limit=300) == [words.rstrip()]
    assert len(cut("some words\n\n" * 1000, limit=20)) == 16

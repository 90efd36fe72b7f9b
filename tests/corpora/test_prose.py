"""Docstrings as prose: what the rule keeps and what it drops."""

import pytest

from workflow_scripts.corpora.prose import (
    docstring_prose,
    is_licence,
    markup_prose,
    plain,
    reads_as_prose,
    wrapped_prose,
)

NUMPYDOC = """Return the sum of the elements over an axis.

    The elements are added in pairs, so that rounding
    errors stay small.

    Parameters
    ----------
    values : array_like
        The elements that are to be added to one another.
    axis : int, optional
        The axis along which the sum is taken, all by default.

    Notes
    -----
    Sums of integers wrap around when they overflow the type.

    .. math:: s = \\sum_i a_i

    .. warning:: This function is known to be slow on lists of lists.

    .. plot::
        import matplotlib.pyplot as plt and draw the figure here

    Examples
    --------
    An empty array has a sum of zero:

    >>> total([])
    0
    that line is printed output of the example above

    See Also
    --------
    mean : The arithmetic mean of all the elements of an array.
    """


def test_numpydoc_keeps_the_prose_of_its_text_sections_alone():
    assert docstring_prose(NUMPYDOC) == [
        "Return the sum of the elements over an axis.",
        "The elements are added in pairs, so that rounding errors stay small.",
        "Sums of integers wrap around when they overflow the type.",
        "This function is known to be slow on lists of lists.",
        "An empty array has a sum of zero:",
    ]


def test_google_sections_and_sphinx_fields_go_with_their_blocks():
    text = """Load the weights of a model from a folder.

    Args:
        folder (str): The folder in which the weights have been saved.
            It may be a relative path as seen from here.

    Returns:
        The model that was loaded, ready to be used at once.

    Weights that are missing keep their first values.

    :param strict: whether it is an error when weights are missing
        in the folder that was named
    name (str, optional): what the model is to be called by others
    """
    assert docstring_prose(text) == [
        "Load the weights of a model from a folder.",
        "Weights that are missing keep their first values.",
    ]


def test_literal_blocks_go_and_what_follows_them_stays():
    code = "    call(one, two) and three more words"
    text = f"The function is called like this::\n\n{code}\n\nIt then returns with no value at all."
    assert docstring_prose(text) == [
        "The function is called like this:",
        "It then returns with no value at all.",
    ]


def test_list_items_become_paragraphs_of_their_own():
    text = "- the first of the items in the list\n  goes on here\n- the second of the items in the list"
    assert docstring_prose(text) == [
        "the first of the items in the list goes on here",
        "the second of the items in the list",
    ]


def test_licences_are_no_prose_of_docstrings():
    text = "Permission is hereby granted, free of charge, to any person obtaining a copy."
    assert is_licence(text)
    assert docstring_prose(text) == []


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("see :func:`~numpy.sum` and ``x``", "see numpy.sum and x"),
        ("a `link <https://x.org>`_ here", "a link here"),
        ("**bold** and *leaning* words", "bold and leaning words"),
        ("as shown in [1]_ and [2]_.", "as shown in and."),
        ("a [page](https://x.org/a) of it", "a page of it"),
        ("the product a * b * c", "the product a * b * c"),
    ],
)
def test_inline_markup_is_taken_off(marked, expected):
    assert plain(marked) == expected


def test_formulas_and_short_phrases_do_not_read_as_prose():
    assert reads_as_prose("This sentence has enough words in it.")
    assert not reads_as_prose("too few words")
    assert not reads_as_prose("f(x_1, x_2) = sum(a[i] * b[j] for i, j in pairs) + c**2 - 1/3 + 2*(x_3)")


def test_a_markdown_page_loses_headings_tables_badges_and_code():
    page = """# A package
[![build](https://x.org/b.svg)](https://x.org)
<p align="center"><img src="logo.png"></p>

It does one thing and does that thing well.

| column | other column with some more words in it |
|---|---|

```python
import package  # these words are code and not prose
```
Usage and more of it
====================
The second paragraph comes after the heading.
"""
    assert markup_prose(page) == [
        "It does one thing and does that thing well.",
        "The second paragraph comes after the heading.",
    ]


def test_a_plain_page_keeps_indented_prose():
    assert wrapped_prose("The statement\n*************\n\n   It is used to do nothing at all here.\n") == [
        "It is used to do nothing at all here."
    ]

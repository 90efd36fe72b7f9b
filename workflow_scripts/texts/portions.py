"""Texts some at a time, so that only a portion of them is in memory."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

Text = TypeVar("Text", str, bytes)


def portions(texts: Iterable[Text], size: int) -> Iterator[list[Text]]:
    """Lists of texts that have together at least `size` characters or bytes; the last may have less."""
    portion: list[Text] = []
    held = 0
    for text in texts:
        portion.append(text)
        held += len(text)
        if held >= size:
            yield portion
            portion, held = [], 0
    if portion:
        yield portion

"""The questions of a config: which corpora to train on, which of their rows, in which shares."""

from collections.abc import Iterable, Mapping
from typing import Any

Question = dict[str, Any]


def of_kind(config: Mapping[str, Any], *kinds: str) -> list[Question]:
    return [question for question in config["questions"] if question["kind"] in kinds]


def measured(config: Mapping[str, Any]) -> list[Question]:
    """The questions that are answered from alignments."""
    return of_kind(config, "rank", "mix")


def targets_of(question: Question) -> list[str]:
    """Corpora whose eval sides the data is for."""
    return list(question["targets"]) if question["kind"] == "mix" else [question["target"]]


def candidates_of(question: Question) -> list[str]:
    """Corpora whose train sides are compared with the targets; none where rows are chosen from files."""
    return [] if question["kind"] == "select" else list(question["candidates"])


def corpora_of(questions: Iterable[Question]) -> set[str]:
    """Corpora that must be built for the questions; a pool of rows is read in place."""
    return {name for one in questions for name in (*targets_of(one), *candidates_of(one))}

"""Texts of two made-up domains, and a target's table as `build_corpus` writes it."""

import json
import random
from pathlib import Path

import pyarrow as pa
import pytest

from workflow_scripts.storage.documents import COLUMNS
from workflow_scripts.storage.tables import write_table

COMMON = [
    "the",
    "of",
    "and",
    "a",
    "to",
    "in",
    "is",
    "was",
    "for",
    "on",
    "with",
    "as",
    "by",
    "at",
    "from",
    "that",
]
MEDICAL = [
    stem + end
    for stem in ("cardi", "neur", "gastr", "derm", "hepat")
    for end in ("itis", "ology", "osis", "al")
]
LEGAL = [
    stem + end
    for stem in ("jur", "lit", "stat", "verd", "plaint")
    for end in ("isdict", "igant", "ute", "iff")
]


def text_of(words: list[str], seed: int, length: int = 60) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(words if draw.random() < 0.5 else COMMON) for _ in range(length))


def medical(count: int, seed: int = 0, length: int = 60) -> list[str]:
    return [text_of(MEDICAL, seed * 100_000 + number, length) for number in range(count)]


def legal(count: int, seed: int = 0, length: int = 60) -> list[str]:
    return [text_of(LEGAL, 50_000 + seed * 100_000 + number, length) for number in range(count)]


def write_lines(path: Path, texts: list[str], **more: object) -> Path:
    path.write_text("".join(json.dumps({"text": text, **more}) + "\n" for text in texts))
    return path


def write_target(path: Path, texts: list[str], split: str = "eval") -> Path:
    rows = [
        dict.fromkeys(COLUMNS) | {"doc_id": f"t#{n}", "split": split, "text": text}
        for n, text in enumerate(texts)
    ]
    write_table(pa.Table.from_pylist(rows, pa.schema([(column, pa.string()) for column in COLUMNS])), path)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return write_target(tmp_path / "documents.parquet", medical(40, seed=7))

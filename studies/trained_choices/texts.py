"""Texts of the corpora as rows, the halves of the targets, and the tokenizer that counts for all arms."""

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studies.trained_choices import registered as plan

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def cut(text: str, words: int = plan.WORDS_PER_ROW) -> list[str]:
    """Pieces of so many words, with the white space between them."""
    found = re.findall(r"\S+\s*", text)
    return ["".join(found[start : start + words]) for start in range(0, len(found), words)]


def read_texts(path: Path) -> list[str]:
    lines = path.read_bytes()
    if path.suffix == ".gz":
        lines = gzip.decompress(lines)
    found = [json.loads(line)["text"] for line in lines.decode().split("\n") if line]
    return [text for text in found if text.strip()]


def write_texts(texts: Iterable[str], path: Path) -> Path:
    """Write JSON lines atomically: an existing file is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return unfinished.rename(path)


def halves(documents: list[str], seed: int) -> tuple[list[str], list[str]]:
    """Disjoint documents, cut into rows: those that the arms see of a target, and those for evaluation."""
    order = np.random.default_rng(seed).permutation(len(documents))
    middle = len(order) // 2
    first, second = (
        [row for n in part for row in cut(documents[n])] for part in (order[:middle], order[middle:])
    )
    return first, second


def sample(documents: list[str], limit_bytes: int, seed: int) -> list[str]:
    """Rows of random documents, up to a number of bytes."""
    rows: list[str] = []
    held = 0
    for n in np.random.default_rng(seed).permutation(len(documents)):
        for row in cut(documents[n]):
            if held >= limit_bytes:
                return rows
            rows.append(row)
            held += len(row.encode())
    return rows


def prepare(corpora: Path, work: Path) -> None:
    """Make the pool, both halves of each target and the tokenizer, if they are missing."""
    from workflow_scripts.tokens.tokenizer import train_tokenizer

    for name in plan.POOL:
        if not (pool_file(work, name)).exists():
            documents = read_texts(corpora / f"{name}.jsonl.gz")
            write_texts(sample(documents, plan.POOL_BYTES_PER_CORPUS, plan.DRAW_SEED), pool_file(work, name))
    for name in plan.ALL_TARGETS:
        if not half_file(work, name, "evaluated").exists():
            given, evaluated = halves(read_texts(corpora / f"{name}.jsonl.gz"), plan.DRAW_SEED)
            write_texts(given, half_file(work, name, "given"))
            write_texts(evaluated, half_file(work, name, "evaluated"))
    if not (tokenizer_folder(work) / "tokenizer.json").exists():
        texts = read_texts(corpora / f"{plan.TOKENIZER_CORPUS}.jsonl.gz")
        train_tokenizer(texts, plan.VOCABULARY).save_pretrained(tokenizer_folder(work))


def pool_file(work: Path, corpus: str) -> Path:
    return work / "pool" / f"{corpus}.jsonl"


def half_file(work: Path, target: str, half: str) -> Path:
    return work / "targets" / f"{target}.{half}.jsonl"


def tokenizer_folder(work: Path) -> Path:
    return work / "tokenizer"


def pool_of(work: Path, target: str) -> dict[str, Path]:
    """Files of the pool in name order, without the target's own corpus."""
    return {name: pool_file(work, name) for name in sorted(plan.POOL) if name != target}


def encoded(rows: list[str], tokenizer: "PreTrainedTokenizerBase") -> list[np.ndarray]:
    ids = tokenizer(rows, add_special_tokens=False)["input_ids"]
    return [np.array(one, dtype=np.int64) for one in ids]

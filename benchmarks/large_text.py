"""Text of any size for benchmarks, and the cost of a program that reads it."""

import gzip
import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

ROW_WORDS = 300
VOCABULARY, TOPICS = 30_000, 20


def invented(draws: np.random.Generator, is_target: bool) -> Iterator[str]:
    """Texts of words with Zipf's frequencies; each topic has its own order of the rarer words."""
    letters = np.array(list("etaoinshrdlcumwfgypbvk"))
    words = np.array(
        ["".join(draws.choice(letters, size=length)) for length in draws.integers(2, 10, VOCABULARY)]
    )
    orders = [
        np.concatenate([np.arange(200), 200 + draws.permutation(VOCABULARY - 200)]) for _ in range(TOPICS)
    ]
    chances = np.cumsum(1 / np.arange(1, VOCABULARY + 1))
    chances /= chances[-1]
    while True:
        topic = 0 if is_target else int(draws.integers(TOPICS))
        length = int(ROW_WORDS * draws.lognormal(0, 0.7)) + 5
        yield " ".join(words[orders[topic][np.searchsorted(chances, draws.random(length))]])


def rearranged(folder: Path, draws: np.random.Generator, is_target: bool) -> Iterator[str]:
    """Sentences of real texts; those of a target come only from the first corpus."""
    sentences: list[str] = []
    for path in sorted(folder.glob("*.jsonl.gz"))[: 1 if is_target else None]:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            for text in (json.loads(line).get("text") or "" for line in stream):
                sentences += text.split(". ")
    while True:
        yield ". ".join(sentences[number] for number in draws.integers(len(sentences), size=12))


def write_pool(folder: Path, texts: Iterator[str], total: int, files: int) -> tuple[list[Path], int, int]:
    """Write JSON lines with `total` bytes of text; returns the files, the bytes, and the rows."""
    paths = [folder / f"pool-{number}.jsonl" for number in range(files)]
    held = rows = 0
    for number, path in enumerate(paths, start=1):
        with path.open("w", encoding="utf-8") as stream:
            while held < total * number / files:
                text = next(texts)
                stream.write(json.dumps({"text": text, "number": rows}) + "\n")
                held += len(text.encode())
                rows += 1
    return paths, held, rows


def measured(command: Sequence[str]) -> dict[str, float]:
    """Wall and CPU seconds of a command, and the peak memory of its largest process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[:3]} failed")
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
    }

"""Compare one candidate with the target, in one pass over its files."""

import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.errors import UserError
from workflow_scripts.pool import importance
from workflow_scripts.pool.languages import LANGUAGES, languages_of
from workflow_scripts.pool.leaks import RULE, LeakFinder
from workflow_scripts.pool.overlap import Overlap
from workflow_scripts.pool.repeats import RepeatCounter
from workflow_scripts.pool.rows import Batch, PoolEntry, RowStream
from workflow_scripts.pool.sampling import sampled_texts
from workflow_scripts.pool.target import Target
from workflow_scripts.texts.characters import ASCII_LATIN, SCRIPTS
from workflow_scripts.texts.progress import Progress
from workflow_scripts.texts.words import Words, find_words

logger = logging.getLogger(__name__)

EXAMPLES = 3
EXAMPLE_CHARACTERS = 300
EXAMPLE_WORDS = 20
"""Shorter rows are not shown as examples, because one rare word would decide their score."""

MOST_PAIRS = 100
SMALLEST_SHARE = 0.05
"""Of all letters or words; what is less of a script or a language may be names and quotations."""
_LONGEST_COUNTED = 1 << 20


def survey(entry: PoolEntry, target: Target, seed: int) -> dict[str, Any]:
    """Counts, leaks, overlap, examples and hints of one candidate."""
    started = time.perf_counter()
    scorer = importance.fit(target.texts, sampled_texts([entry], seed))
    leaks = LeakFinder(target.words)
    overlap = Overlap(target.words)
    repeats = RepeatCounter()
    tally = _Tally()
    examples = _Examples()
    recurring: set[int] = set()
    pairs: list[dict[str, str]] = []
    leaking_rows = 0
    stream = RowStream(entry, entry.files)
    progress = Progress(f"candidate {entry.name}", entry.bytes())
    for batch in stream.batches():
        words = find_words(batch.texts)
        tally.add(words, batch.bytes)
        repeats.add(words.texts)
        overlap.add(words)
        found = leaks.pairs(words)
        recurring.update(row for _, row in found)
        leaking_rows += len({text for text, _ in found})
        for text, row in found[: MOST_PAIRS - len(pairs)]:
            pairs.append({"doc_id": target.doc_ids[row], "row_id": batch.names[text]})
        examples.add(batch, scorer.scores(batch.texts, words), words.counts())
        progress.at(stream.bytes_read())
    if not tally.rows:
        raise UserError(f"pool {entry.name}: {why_empty(stream.skipped)}")
    repeated, is_exact = repeats.repeats()
    if leaking_rows == tally.rows:
        logger.warning("candidate %s: every row repeats a row of the target", entry.name)
    seconds = time.perf_counter() - started
    logger.info("candidate %s: %.1f MB/s", entry.name, tally.bytes / seconds / 1e6)
    of_target = _Tally()
    of_target.add(target.words, sum(map(len, target.texts)))
    return {
        "name": entry.name,
        "files": len(entry.files),
        **tally.described(),
        "skipped": dict(stream.skipped),
        "duplicates": {"rows": repeated, "is_exact": is_exact},
        "leaks": {
            "target_rows": len(recurring),
            "rows": leaking_rows,
            "pairs": pairs,
            "rule": RULE,
        },
        "overlap": overlap.shares(),
        **examples.described(),
        "target": of_target.described(),
    }


def why_empty(skipped: Mapping[str, int]) -> str:
    """The error for files without a readable row."""
    if not skipped:
        return "its files have no rows; give files with text"
    reasons = ", ".join(f"{count} {why}" for why, count in sorted(skipped.items()))
    return f"no row of its files can be read as text ({reasons}); check its columns and where"


class _Tally:
    """Counts over texts."""

    def __init__(self) -> None:
        self.rows = self.bytes = self.words = self.damaged = 0
        self.letters = np.zeros(len(SCRIPTS), dtype=np.int64)
        self.words_of = np.zeros(len(LANGUAGES), dtype=np.int64)
        """Words of the rows in each language."""
        self._lengths = np.zeros(1, dtype=np.int64)  # rows by their number of words

    def add(self, words: Words, text_bytes: int) -> None:
        self.rows += len(words.texts)
        self.bytes += text_bytes
        self.words += len(words.hashes)
        self.damaged += int(words.is_damaged.sum())
        self.letters += words.letters
        counts = words.counts()
        self.words_of += np.bincount(languages_of(words), weights=counts, minlength=len(LANGUAGES)).astype(
            np.int64
        )
        lengths = np.bincount(np.minimum(counts, _LONGEST_COUNTED), minlength=len(self._lengths))
        lengths[: len(self._lengths)] += self._lengths
        self._lengths = lengths

    def described(self) -> dict[str, Any]:
        by_script = Counter[str]()
        for script, count in zip(SCRIPTS[1:], self.letters[1:].tolist(), strict=True):
            by_script[script] += count
        letters = by_script.total()
        shares = {script: count / letters for script, count in by_script.most_common() if count}
        main, of_main = next(iter(shares.items()), (None, 0.0))
        return {
            "rows": self.rows,
            "bytes": self.bytes,
            "words": self.words,
            "median_words": int(np.searchsorted(np.cumsum(self._lengths), self.rows / 2)),
            "non_ascii_letters": 1 - int(self.letters[ASCII_LATIN]) / letters if letters else 0.0,
            "main_script": main,
            "main_script_share": of_main,
            "other_scripts": {
                script: share
                for script, share in shares.items()
                if script != main and share >= SMALLEST_SHARE
            },
            "languages": self._languages(),
            "damaged_rows": self.damaged / max(self.rows, 1),
        }

    def _languages(self) -> dict[str, float]:
        """Shares of all words; words of rows in no known language are left out."""
        shares = (self.words_of[1:] / max(self.words, 1)).tolist()
        return {
            language: share
            for language, share in zip(LANGUAGES[1:], shares, strict=True)
            if share >= SMALLEST_SHARE
        }


class _Examples:
    """The rows nearest to the target and farthest from it, by their score."""

    def __init__(self) -> None:
        self._nearest: list[tuple[float, str, str]] = []
        self._farthest: list[tuple[float, str, str]] = []

    def add(self, batch: Batch, scores: NDArray[np.float64], lengths: NDArray[np.int64]) -> None:
        long_enough = np.flatnonzero(lengths >= EXAMPLE_WORDS)
        scores = scores[long_enough]
        order = np.argsort(scores, kind="stable")
        for sign, best, places in ((-1, self._nearest, order[::-1]), (1, self._farthest, order)):
            for place in places[:EXAMPLES].tolist():
                opening = batch.texts[long_enough[place]][: 4 * EXAMPLE_CHARACTERS].decode(errors="ignore")
                best.append(
                    (
                        sign * float(scores[place]),
                        batch.names[long_enough[place]],
                        opening[:EXAMPLE_CHARACTERS],
                    )
                )
            best.sort()
            del best[EXAMPLES:]

    def described(self) -> dict[str, list[dict[str, Any]]]:
        return {
            name: [{"row_id": row_id, "score": sign * score, "opening": text} for score, row_id, text in best]
            for name, sign, best in (("nearest", -1, self._nearest), ("farthest", 1, self._farthest))
        }

"""The small config that a command writes, laid over the default run: corpora, one question, and nothing to train."""

from collections.abc import Sequence
from typing import Any

from workflow_scripts.commands.run import RUN
from workflow_scripts.commands.text_files import TextFile

# The first decides: of the cheap ones it ranked trained models best (docs/RESULTS.md).
METRICS = ("ngram_cross_entropy", "unigram_js", "tfidf_cosine")
SAMPLE_BYTES = 2_000_000
TARGET_BYTES = 8_000_000
VOCABULARY = 8192
MOST_ENTRIES = 20


def question_config(
    question: dict[str, Any],
    targets: Sequence[TextFile],
    candidates: Sequence[TextFile],
    metrics: Sequence[str],
    seed: int,
    tokenizer: str | None,
) -> dict[str, Any]:
    """Targets are eval sides and candidates train sides; the tokenizer is trained on a sample of all of them."""
    sides = [*((one, 1.0) for one in targets), *((one, 0.0) for one in candidates)]
    corpora = {
        one.name: {**one.entry, "held_out": held_out, "sample_bytes": SAMPLE_BYTES} for one, held_out in sides
    }
    question = {**question, "labels": {one.name: one.label for one, _ in sides}}
    return _config(question, corpora, list(corpora), seed, tokenizer) | {
        "alignment": {"metrics": list(metrics), "fewer_rows": True}
    }


def selection_config(
    target: TextFile, pool: Sequence[TextFile], tokens: int, form: str, seed: int, tokenizer: str | None
) -> dict[str, Any]:
    """The pool is read where it is; the tokenizer, which counts the tokens of the budget, is trained on the target."""
    entries = _pool_entries(pool)
    question = {
        "name": "select",
        "kind": "select",
        "target": target.name,
        "pool": list(entries),
        "tokens": tokens,
        "format": form,
        "labels": {target.name: target.label},
    }
    corpora = {target.name: {**target.entry, "held_out": 1.0, "sample_bytes": TARGET_BYTES}, **entries}
    return _config(question, corpora, [target.name], seed, tokenizer)


def _pool_entries(pool: Sequence[TextFile]) -> dict[str, dict[str, Any]]:
    """An entry a file; where they are many, an entry for the files of a folder that have the same columns."""
    if len(pool) <= MOST_ENTRIES:
        return {one.name: one.entry for one in pool}
    grouped: dict[str, tuple[str, dict[str, Any]]] = {}
    for one in pool:
        columns = {key: value for key, value in one.entry.items() if key != "paths"}
        key = f"{one.path.parent.resolve()} {sorted(columns.items())}"
        _, entry = grouped.setdefault(key, (f"pool_{len(grouped) + 1}", {**columns, "paths": []}))
        entry["paths"] += one.entry["paths"]
    return dict(grouped.values())


def _config(
    question: dict[str, Any],
    corpora: dict[str, dict[str, Any]],
    of_tokenizer: Sequence[str],
    seed: int,
    tokenizer: str | None,
) -> dict[str, Any]:
    return {
        "run": RUN,
        "pathvars": {"results": RUN},
        "seed": seed,
        "experiments": [],
        "switches": None,
        "tokenizer": {"vocabulary": VOCABULARY, "corpora": list(of_tokenizer), "pretrained": tokenizer},
        "questions": [question],
        "corpora": corpora,
    }

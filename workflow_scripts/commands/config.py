"""The small config that a command writes, laid over the default run: corpora and one question, no training."""

from collections.abc import Sequence
from typing import Any

from workflow_scripts.commands.options import Shared
from workflow_scripts.commands.run import RUN
from workflow_scripts.commands.text_files import TextFile
from workflow_scripts.errors import UserError

# The first decides: it ranked trained models best among the cheap measures (docs/results/ranking.md).
METRICS = ("ngram_cross_entropy", "unigram_js", "tfidf_cosine")
SAMPLE_BYTES = 2_000_000
TARGET_BYTES = 8_000_000
VOCABULARY = 8192
MOST_ENTRIES = 20
VERIFYING_TOKENS = 262_144
FEWEST_VERIFYING_TOKENS = 16_384
ROWS_LEFT = 0.9  # share of a sample's tokens without duplicates and the tokens that fill no row


def question_config(
    question: dict[str, Any],
    targets: Sequence[TextFile],
    candidates: Sequence[TextFile],
    metrics: Sequence[str],
    shared: Shared,
) -> dict[str, Any]:
    """Targets are eval sides and candidates train sides; the tokenizer is trained on a sample of all of them."""
    sides = [*((one, 1.0) for one in targets), *((one, 0.0) for one in candidates)]
    corpora = {
        one.name: {**one.entry, "held_out": held_out, "sample_bytes": SAMPLE_BYTES} for one, held_out in sides
    }
    question = {**question, "labels": {one.name: one.label for one, _ in sides}}
    return _config(question, corpora, list(corpora), shared) | {
        "alignment": {"metrics": list(metrics), "fewer_rows": True, "answers": []},
        "estimators": {name: {"fewer_rows": True} for name in ("corrected", "published")},
    }


def verifying_config(config: dict[str, Any], train_sets: Sequence[str], fewest_tokens: int) -> dict[str, Any]:
    """The config of a ranking with short runs on some candidates, all with the tokens of the smallest sample."""
    if len(train_sets) < 2:
        raise UserError("--verify needs at least two candidates that can be measured")
    most = min(VERIFYING_TOKENS, int(ROWS_LEFT * fewest_tokens))
    if most < FEWEST_VERIFYING_TOKENS:
        raise UserError(
            f"--verify needs {FEWEST_VERIFYING_TOKENS} tokens of each candidate, but the smallest has {fewest_tokens}"
        )
    (question,) = config["questions"]
    return {
        **config,
        "questions": [{**question, "verified_by": "verify"}],
        "recipes": {"from_scratch": {"tokens": [most // 4, most // 2, most]}},
        "experiments": [
            {
                "name": "verify",
                "kind": "pretraining",
                "recipe": "from_scratch",
                "train_sets": list(train_sets),
                "eval_sets": [question["target"]],
            }
        ],
    }


def selection_config(
    target: TextFile,
    pool: Sequence[TextFile],
    tokens: int,
    form: str,
    shared: Shared,
    score: str = "ngrams",
) -> dict[str, Any]:
    """The pool is read in place; the tokenizer that counts the tokens of the budget is trained on the target."""
    entries = _pool_entries(pool)
    question = {
        "name": "select",
        "kind": "select",
        "target": target.name,
        "pool": list(entries),
        "tokens": tokens,
        "format": form,
        "score": score,
        "labels": {target.name: target.label},
    }
    corpora = {target.name: {**target.entry, "held_out": 1.0, "sample_bytes": TARGET_BYTES}, **entries}
    return _config(question, corpora, [target.name], shared)


def _pool_entries(pool: Sequence[TextFile]) -> dict[str, dict[str, Any]]:
    """One entry per file; for many files, one entry for the files of a folder with the same columns."""
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
    shared: Shared,
) -> dict[str, Any]:
    return {
        "run": RUN,
        "pathvars": {"results": RUN},
        "seed": shared.seed,
        "experiments": [],
        "switches": None,
        "tokenizer": {
            "vocabulary": VOCABULARY,
            "corpora": list(of_tokenizer),
            "pretrained": shared.tokenizer,
        },
        "questions": [question],
        "corpora": corpora,
    }

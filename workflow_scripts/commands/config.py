"""The small config that a command writes, laid over the default run: corpora, one question, and nothing to train."""

from collections.abc import Sequence
from typing import Any

from workflow_scripts.commands.run import RUN
from workflow_scripts.commands.text_files import TextFile

# The first decides: of the cheap ones it ranked trained models best (docs/RESULTS.md).
METRICS = ("ngram_cross_entropy", "unigram_js", "tfidf_cosine")
SAMPLE_BYTES = 2_000_000
VOCABULARY = 8192


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
    return {
        "run": RUN,
        "pathvars": {"results": RUN},
        "seed": seed,
        "experiments": [],
        "switches": None,
        "tokenizer": {
            "vocabulary": VOCABULARY,
            "corpora": [one.name for one, _ in sides],
            "pretrained": tokenizer,
        },
        "alignment": {"metrics": list(metrics), "fewer_rows": True},
        "questions": [{**question, "labels": {one.name: one.label for one, _ in sides}}],
        "corpora": {
            one.name: {**one.entry, "held_out": held_out, "sample_bytes": SAMPLE_BYTES}
            for one, held_out in sides
        },
    }

"""What a job of each rule asks for, before the config overrides it."""

from typing import Any

# A corpus, a table or a page needs little; what holds a model needs more. Minutes and MB of the default run,
# with room to spare; `gpu: 0` so that a cluster without cards never waits for one.
_LIGHT = {"threads": 1, "mem_mb": 2000, "runtime": 30, "gpu": 0}
_MODEL = {"threads": 1, "mem_mb": 3000, "runtime": 120, "gpu": 0}

DEFAULTS: dict[str, dict[str, int]] = {
    "build_corpus": _LIGHT,
    "make_tokenizer": _LIGHT,
    "tokenize_corpus": _LIGHT,
    "mix_rows": _LIGHT,
    "draw_random_rows": _LIGHT,
    "train_probe": _MODEL,
    "embed_batches": _MODEL,
    "compare_sets": _MODEL,
    "measure_covariates": _MODEL,
    "collect_alignment": _LIGHT,
    "train_models": _MODEL,
    "evaluate_models": _MODEL,
    "collect_losses": _LIGHT,
    "correlate_losses": _LIGHT,
    "choose_data": _LIGHT,
    "measure_exchange_rate": _LIGHT,
    "analyse_published": _LIGHT,
    "render_report": _LIGHT,
}


def of_rule(rule: str, overrides: dict[str, Any]) -> dict[str, int]:
    """Threads, memory, minutes and GPUs of one job of a rule."""
    return {**DEFAULTS[rule], **overrides.get(rule, {})}

"""What a job of each rule asks for, before the config overrides it."""

from collections.abc import Callable
from typing import Any

from workflow_scripts.command_line import UserError

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
    "flip_switches": _MODEL,
    "weigh_switches": _LIGHT,
    "measure_exchange_rate": _LIGHT,
    "analyse_published": _LIGHT,
    "describe_run": _LIGHT,
    "render_report": _LIGHT,
}


class RuleResources:
    """Resources of each rule: the defaults above, and what the config says instead."""

    def __init__(self, overrides: dict[str, dict[str, int]]):
        unknown = sorted(set(overrides) - set(DEFAULTS))
        if unknown:
            raise UserError(f"resources.{unknown[0]}: there is no such rule; there are {', '.join(DEFAULTS)}")
        self._of = {rule: {**DEFAULTS[rule], **overrides.get(rule, {})} for rule in DEFAULTS}

    def threads(self, rule: str) -> int:
        return self._of[rule]["threads"]

    def mem_mb(self, rule: str) -> Callable[[Any, int], int]:
        """Memory in MB, doubled on each retry."""
        return lambda wildcards, attempt: self._of[rule]["mem_mb"] * 2 ** (attempt - 1)

    def runtime(self, rule: str) -> int:
        """Minutes."""
        return self._of[rule]["runtime"]

    def gpu(self, rule: str) -> int:
        return self._of[rule]["gpu"]

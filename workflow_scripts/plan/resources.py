"""The default resources of each rule's jobs, and what the config overrides."""

import os
import re
from collections.abc import Callable
from typing import Any

from workflow_scripts.errors import UserError
from workflow_scripts.plan.rules import RULES

# A killed training job loses at most this much work.
_CHECKPOINT_SECONDS = 300

DEFAULTS: dict[str, dict[str, int]] = {
    name: {
        "threads": rule.threads,
        "mem_mb": rule.mem_mb,
        "runtime": rule.runtime,
        "gpu": 0,  # a cluster without GPUs would wait for one forever
        **({"checkpoint_seconds": _CHECKPOINT_SECONDS} if rule.trains else {}),
    }
    for name, rule in RULES.items()
}

# Passed on unchanged; a rule that does not name one leaves it to the profile.
_OF_THE_SITE = ("slurm_partition", "slurm_extra")
_OF_A_GPU = ("gpu_model", "gres")

Asked = Callable[[Any], bool]


class RuleResources:
    """Resources of each rule: the defaults above, and what the config says instead."""

    def __init__(
        self, overrides: dict[str, dict[str, Any]], scratch: str | None = None, device: str = "auto"
    ):
        unknown = sorted(set(overrides) - set(DEFAULTS))
        if unknown:
            raise UserError(f"resources.{unknown[0]}: unknown rule; known are {', '.join(DEFAULTS)}")
        for rule, asked in overrides.items():
            _check(rule, asked)
        self._of: dict[str, dict[str, Any]] = {
            rule: {**DEFAULTS[rule], **overrides.get(rule, {})} for rule in DEFAULTS
        }
        self._scratch = scratch or ""
        self._device = device

    def all(self, rule: str, runs_model: Asked | None = None) -> dict[str, Any]:
        """Everything that a job of the rule requests except CPUs, in the form of Snakemake's `resources`.

        `runs_model` says which jobs, by their wildcards, run a model; only those request a GPU.
        """
        settings = self._of[rule]
        asked = {"mem_mb": self._growing(settings["mem_mb"]), "runtime": settings["runtime"]}
        asked |= {key: settings[key] for key in (*_OF_THE_SITE, "checkpoint_seconds") if key in settings}
        of_gpu = {key: settings[key] for key in _OF_A_GPU if key in settings}
        if "gres" not in settings:  # Slurm accepts only one of the two.
            of_gpu["gpu"] = settings["gpu"]
        of_gpu["card"] = self.cards(rule)
        asked |= {key: _only_if(runs_model, value) for key, value in of_gpu.items()}
        asked["turn"] = 1  # A Slurm job has one turn to give, so grouped jobs run one after another.
        if self._scratch:
            asked["tmpdir"] = lambda wildcards: os.path.expandvars(self._scratch)
        return asked

    def cards(self, rule: str) -> int:
        """GPUs of this machine that a job takes if there are any; it need not request them."""
        takes = RULES[rule].runs_model and self._device != "cpu"
        return (max(self.gpus(rule), 1) if RULES[rule].trains else 1) if takes else 0

    def device(self, rule: str) -> str:
        """The config's device; if the rule requests no GPU, `cuda` is only a wish, and its models may run on a CPU."""
        return "auto" if self._device == "cuda" and not self.gpus(rule) else self._device

    def threads(self, rule: str) -> int:
        """Threads that each process of a job computes with."""
        return self._of[rule]["threads"]

    def cpus(self, rule: str) -> int:
        """CPUs of a job; a job on several GPUs has one process for each."""
        return self.threads(rule) * max(self.gpus(rule), 1)

    def gpus(self, rule: str) -> int:
        """GPUs of a job, whichever key requests them."""
        settings = self._of[rule]
        return _gpus_of_gres(settings["gres"]) if "gres" in settings else settings["gpu"]

    @property
    def local_rules(self) -> list[str]:
        """Rules whose jobs stay where Snakemake itself runs."""
        return [rule for rule, settings in self._of.items() if settings.get("local", False)]

    @staticmethod
    def _growing(mem_mb: int) -> Callable[[Any, int], int]:
        """Memory in MB, doubled on each retry."""
        return lambda wildcards, attempt: mem_mb * 2 ** (attempt - 1)


def _only_if(runs_model: Asked | None, value: Any) -> Any:
    """The value, or nothing of its kind for a job that runs no model."""
    if runs_model is None or not value:
        return value
    return lambda wildcards: value if runs_model(wildcards) else type(value)()


def _check(rule: str, asked: dict[str, Any]) -> None:
    here = f"resources.{rule}"
    if "gres" in asked and ("gpu" in asked or "gpu_model" in asked):
        raise UserError(f"{here}.gres = {asked['gres']}: give either gres, or gpu with gpu_model")
    if "gpu_model" in asked and not asked.get("gpu", 0):
        raise UserError(f"{here}.gpu_model = {asked['gpu_model']}: give the number of GPUs in gpu, too")
    if "checkpoint_seconds" in asked and "checkpoint_seconds" not in DEFAULTS[rule]:
        training = ", ".join(name for name, settings in DEFAULTS.items() if "checkpoint_seconds" in settings)
        raise UserError(f"{here}.checkpoint_seconds: only rules that train have it: {training}")


def _gpus_of_gres(gres: str) -> int:
    """GPUs in a generic resource: `gpu`, `gpu:2`, `gpu:a100`, `gpu:a100:2`; none in any other kind."""
    kind, *rest = gres.split(":")
    if kind != "gpu":
        return 0
    return int(rest[-1]) if rest and re.fullmatch(r"\d+", rest[-1]) else 1

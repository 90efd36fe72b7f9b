"""Configs of the workflow that train the arms: the recipe from_scratch of the default run, at the registered budget."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studies.trained_choices import registered as plan
from studies.trained_choices.texts import half_file, tokenizer_folder

FROM_SCRATCH: dict[str, Any] = {
    "model": {
        "type": "gpt2",
        "settings": {
            "n_layer": 2,
            "n_embd": 64,
            "n_head": 2,
            "n_positions": 128,
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
        },
    },
    "tokens": [plan.TRAINED_TOKENS],
    "seeds": list(plan.SEEDS),
    "context": 128,
    "batch_rows": 16,
    "learning_rate": 0.003,
    "schedule": "constant",
    "warmup_steps": 20,
}


def select_config(work: Path, chosen: Mapping[tuple[str, str], Path]) -> dict[str, Any]:
    """An experiment and a recipe for each target, so models are evaluated only on their own target."""
    corpora = {train_set(target, arm): _trained(path) for (target, arm), path in chosen.items()}
    experiments = [
        {
            "name": target,
            "kind": "pretraining",
            "recipe": target,
            "train_sets": [train_set(target, arm) for arm in plan.ARMS],
            "eval_sets": [target],
        }
        for target in plan.TARGETS
    ]
    targets = {target: _evaluated(work, target) for target in plan.TARGETS}
    return _config("select", work, experiments, corpora | targets, dict.fromkeys(plan.TARGETS, FROM_SCRATCH))


def mix_config(work: Path, folder: Path, shares: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """One experiment per pair of targets. `shares` are by training set; equal ones are one training set."""
    corpora: dict[str, Any] = {
        name: _trained(folder / f"{name}.jsonl.gz") | {"sample_bytes": plan.CANDIDATE_BYTES}
        for name in plan.CANDIDATES
    }
    names: dict[str, str] = {}
    for name, of_set in shares.items():
        positive = {candidate: share for candidate, share in of_set.items() if share > 0}
        if len(positive) == 1:
            names[name] = next(iter(positive))
        else:
            equal = [other for other, spec in corpora.items() if spec.get("fractions") == positive]
            names[name] = equal[0] if equal else name
            corpora[names[name]] = {"source": "mixture", "fractions": positive}
    experiments = [
        {
            "name": pair,
            "kind": "pretraining",
            "recipe": "from_scratch",
            "train_sets": list(dict.fromkeys(names[f"{pair}_{arm}"] for arm in plan.MIX_ARMS)),
            "eval_sets": list(targets),
        }
        for pair, targets in plan.PAIRS.items()
    ]
    for target in {target for pair in plan.PAIRS.values() for target in pair}:
        corpora[target] = _evaluated(work, target)
    config = _config("mix", work, experiments, corpora, {"from_scratch": FROM_SCRATCH})
    return config | {"arms": names}


def train_set(target: str, arm: str) -> str:
    return f"{target}_{arm}"


def _trained(path: Path) -> dict[str, Any]:
    return {"source": "files", "paths": [str(path)], "text": "text", "held_out": 0}


def _evaluated(work: Path, target: str) -> dict[str, Any]:
    return _trained(half_file(work, target, "evaluated")) | {"held_out": 1}


def _config(
    run: str, work: Path, experiments: list[dict[str, Any]], corpora: dict[str, Any], recipes: dict[str, Any]
) -> dict[str, Any]:
    return {
        "run": run,
        "results": str(work / "results"),
        "seed": plan.DRAW_SEED,
        "tokenizer": {"pretrained": str(tokenizer_folder(work)), "corpora": []},
        "alignment": {"metrics": ["unigram_js"]},
        "switches": None,
        "evaluation": {"tokens": plan.EVALUATED_TOKENS},
        "recipes": recipes,
        "experiments": experiments,
        "corpora": corpora,
        "seeds_per_job": len(plan.SEEDS),
    }

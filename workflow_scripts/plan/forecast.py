"""What a run will cost, said before it starts: jobs, time, disk, downloads.

Time is reckoned from the config alone: floating-point operations of the models over the speed of this machine,
measured for a moment, and a start-up time per job. It is meant to tell minutes from hours.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_scripts.plan.run_plan import RunPlan

# Seconds of start-up and of small work per job, measured on a 2-core machine; rules not named take the last.
_START_UP = {
    "build_corpus": 5.0,
    "train_models": 8.0,
    "train_probe": 8.0,
    "evaluate_models": 5.0,
    "embed_batches": 4.0,
    "measure_covariates": 6.0,
    "render_report": 15.0,
    "compare_sets": 15.0,
    "flip_switches": 80.0,
}
_OTHER_START_UP = 2.0

# Share of the speed of a plain matrix product that small models reach: measured, 2 x 64 to 4 x 192 models.
_CPU_EFFICIENCY = 0.5
_GPU_FLOPS = 1.5e14


def forecast(plan: RunPlan, jobs: Mapping[str, int], cores: int) -> str:
    """A few lines on what the jobs of a run will take."""
    gpu = plan.config["device"] == "cuda"
    speed = _GPU_FLOPS if gpu else matrix_speed() * _CPU_EFFICIENCY
    work = operations(plan)
    seconds: dict[str, float] = {}
    planned = {**_planned_jobs(plan)}
    for rule, count in jobs.items():
        share = count / max(planned.get(rule, count), 1)
        seconds[rule] = count * _START_UP.get(rule, _OTHER_START_UP) + share * work.get(rule, 0.0) / speed
    total = sum(seconds.values()) / max(cores, 1)
    longest = sorted(seconds, key=lambda rule: -seconds[rule])[:3]
    parts = ", ".join(f"{rule} {_duration(seconds[rule] / max(cores, 1))}" for rule in longest)
    device = "a GPU" if gpu else f"{cores} core" + ("s" if cores > 1 else "")
    return "\n".join(
        [
            f"run {plan.config['run']}",
            f"  jobs       {sum(jobs.values())}",
            f"  time       about {_duration(total)} on {device} ({parts})",
            f"  disk       about {_size(disk_bytes(plan))} in {plan.root}/",
            f"  downloads  {', '.join(downloads(plan)) or 'none'}",
        ]
    )


def operations(plan: RunPlan) -> dict[str, float]:
    """Floating-point operations per rule: 6 per weight and token in training, 2 in evaluation."""
    config = plan.config
    trained = evaluated = 0.0
    for recipe_name, _, seeds in plan.training:
        recipe = plan.recipe(recipe_name)
        weights = model_weights(plan, recipe["model"])
        n_seeds = len(seeds.split("-"))
        one_run = recipe["epochs"] == 1 and recipe["schedule"] == "constant"
        tokens = max(recipe["tokens"]) if one_run else sum(recipe["tokens"])
        trained += 6 * weights * tokens * recipe["epochs"] * n_seeds
        sets = sum(1 for name, _ in plan.evaluations if name == recipe_name)
        windows = (plan.evaluation(recipe_name)["tokens"] or 1e6) * 1.5
        evaluated += 2 * weights * windows * sets * n_seeds * len(recipe["tokens"])
    probe = model_weights(plan, config["probe"]["model"])
    settings = config["alignment"]
    embedded = settings["batches"] * settings["rows"] * config["rows"]["length"] * len(plan.sets)
    passes = sum(
        2 + config["estimators"][name].get("label_draws", 4) * 4 + config["estimators"][name]["head_epochs"]
        for name in plan.estimators
    )
    return {
        "train_models": trained,
        "evaluate_models": evaluated,
        "train_probe": 0
        if "pretrained" in config["probe"]["model"]
        else 6 * probe * config["probe"]["tokens"],
        "embed_batches": probe * embedded * passes,
        "measure_covariates": 2 * probe * embedded,
    }


def model_weights(plan: RunPlan, model: Mapping[str, Any]) -> float:
    """Weights of a model from its settings; pretrained ones whose size the config does not say count as 124M."""
    if "base" in model:
        return model_weights(plan, plan.config["probe"]["model"])
    if "pretrained" in model:
        return 124e6
    settings = model.get("settings", {})
    width = settings.get("n_embd", settings.get("hidden_size", 768))
    layers = settings.get("n_layer", settings.get("num_hidden_layers", 12))
    return float(12 * layers * width**2 + plan.config["tokenizer"]["vocabulary"] * width)


def disk_bytes(plan: RunPlan) -> float:
    """Weights of all models in float32, embeddings, and an allowance per corpus."""
    models = sum(
        model_weights(plan, plan.recipe(recipe)["model"])
        * 4
        * len(plan.recipe(recipe)["tokens"])
        * len(seeds.split("-"))
        for recipe, _, seeds in plan.training
    )
    probe = model_weights(plan, plan.config["probe"]["model"])
    coordinates = plan.config["tokenizer"]["vocabulary"] + probe**0.5 * 12
    embeddings = 8 * coordinates * plan.config["alignment"]["batches"] * len(plan.sets) * len(plan.estimators)
    return models + 4 * probe + embeddings + 6e6 * len(plan.corpora.with_documents)


def downloads(plan: RunPlan) -> list[str]:
    """Data sets and weights that come from the Hub, unless they are in its cache."""
    names = {
        f"data set {spec['path']}"
        for name in plan.corpora.needed
        if (spec := plan.corpora.specs[name])["source"] == "hub" and not Path(spec["path"]).exists()
    }
    models = [plan.config["probe"]["model"], *(recipe["model"] for recipe in plan.config["recipes"].values())]
    wanted = {model["pretrained"] for model in models if "pretrained" in model}
    names |= {f"model {name}" for name in wanted if not Path(name).exists()}
    if plan.config["tokenizer"]["pretrained"] and not Path(plan.config["tokenizer"]["pretrained"]).exists():
        names.add(f"tokenizer {plan.config['tokenizer']['pretrained']}")
    return sorted(names)


def matrix_speed() -> float:
    """Floating-point operations per second of a plain matrix product on one core, as this process sees it."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    one = np.ones((384, 384), dtype=np.float32)
    with threadpool_limits(1):
        one @ one
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < 0.05:
            one @ one
            count += 1
        return 2 * 384**3 * count / (time.perf_counter() - start)


def _planned_jobs(plan: RunPlan) -> dict[str, int]:
    return {
        "train_models": len(plan.training),
        "evaluate_models": len(plan.evaluations),
        "train_probe": 1,
        "embed_batches": len(plan.sets) * len(plan.estimators),
    }


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count > 1e9 else f"{count / 1e6:.0f} MB"

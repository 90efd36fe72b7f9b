"""Forecasts a run's cost before it starts: jobs, CPU and GPU hours by stage, disk, downloads.

The estimate comes from the config and from the measured speed of one core of this machine. It adds up
floating-point operations over a speed, bytes of text over a speed, and a start-up time per job. It is
precise enough to distinguish minutes from hours and days.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow_scripts.plan.rules import RULES, STAGES
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.work import (
    disk_bytes,
    operations,
    planned_jobs,
    text_seconds,
    training_operations,
)

# Share of the speed of a plain matrix product that small models reach: measured, 2 x 64 to 4 x 192 models.
_CPU_EFFICIENCY = 0.5

# Operations per second of an A100: its data sheet's peaks, and the share of them that models of 50M to 124M weights are
# taken to reach. An H100 is two to three times as fast.
_GPU_EFFICIENCY = 0.25
_GPU_PEAK = {"bfloat16": 312e12, "tf32": 156e12, "float32": 19.5e12}


@dataclass
class StageCost:
    """The cost of one stage's jobs."""

    jobs: int = 0
    gpu_seconds: float = 0.0
    cpu_seconds: float = 0.0
    rules: dict[str, float] = field(default_factory=dict)


def forecast(plan: RunPlan, jobs: Mapping[str, int] | None, cores: int) -> str:
    """A few lines on the cost of the given jobs; of all jobs of the run, if none are given."""
    counted = dict(planned_jobs(plan) if jobs is None else jobs)
    costs = stage_costs(plan, counted)
    cores = max(cores, 1)
    disk = disk_bytes(plan)
    gpu = sum(cost.gpu_seconds for cost in costs.values())
    cpu = sum(cost.cpu_seconds for cost in costs.values()) / cores
    seconds = {rule: amount for cost in costs.values() for rule, amount in cost.rules.items()}
    on_gpu = gpu_precisions(plan)
    longest = ", ".join(
        f"{rule} {_duration(seconds[rule] / (1 if rule in on_gpu else cores))}"
        for rule in sorted(seconds, key=lambda rule: -seconds[rule])[:3]
    )
    on_cores = f"{cores} core" + ("s" if cores > 1 else "")
    where = (
        f"{_duration(gpu)} of one GPU and {_duration(cpu)} of {on_cores}"
        if gpu
        else f"{_duration(cpu)} on {on_cores}"
    )
    known, unknown = download_bytes(plan)
    lines = [
        f"run {plan.config['run']}",
        f"  jobs       {sum(counted.values())}"
        + (" for the report, with nothing made yet" if jobs is None else ""),
        f"  time       about {where} ({longest})",
    ]
    if gpu:
        lines.append(f"  cost       {_cost(plan, gpu)}")
    lines.append(f"  disk       about {_size(sum(disk.values()))} in {plan.root}/")
    lines.append(f"  downloads  {_downloads(plan, known, unknown)}")
    if gpu:
        lines += _stage_table(costs, disk)
    return "\n".join(lines)


def stage_costs(plan: RunPlan, jobs: Mapping[str, int]) -> dict[str, StageCost]:
    """The cost of each stage; if only some jobs of a rule will run, their share of its work."""
    core = matrix_speed() * _CPU_EFFICIENCY
    work, texts, planned = operations(plan), text_seconds(plan), planned_jobs(plan)
    on_gpu = gpu_speeds(plan)
    costs = {stage: StageCost() for stage in STAGES}
    for rule, count in jobs.items():
        if rule not in RULES:  # a target, without a program
            continue
        cost = costs[RULES[rule].stage]
        cost.jobs += count
        share = min(count / max(planned.get(rule, count), 1), 1.0)
        speed = on_gpu.get(rule, core)
        seconds = share * (work.get(rule, 0.0) / speed + texts.get(rule, 0.0))
        seconds += count * RULES[rule].start_up
        cost.rules[rule] = seconds
        if rule in on_gpu:
            cost.gpu_seconds += seconds
        else:
            cost.cpu_seconds += seconds
    return costs


def gpu_precisions(plan: RunPlan) -> dict[str, dict[str, float]]:
    """The precisions of each rule whose models run on a GPU, and their shares of its operations.

    None with `auto`, because the forecast cannot know whether a job gets a GPU.
    """
    if plan.config["device"] != "cuda":
        return {}
    of_recipes = {"auto": "bfloat16"}
    embedding = {"auto": "float32"}.get(plan.config["precision"], plan.config["precision"])
    trained: dict[str, float] = {}
    for name, amount in training_operations(plan).items():
        precision = plan.training.recipe(name)["precision"]
        precision = of_recipes.get(precision, precision)
        trained[precision] = trained.get(precision, 0.0) + amount
    total = sum(trained.values())
    probe = plan.config["probe"]
    of_probe = probe["training"]["precision"]
    return {
        "train_probe": {} if "pretrained" in probe["model"] else {of_recipes.get(of_probe, of_probe): 1.0},
        "train_models": {precision: amount / total for precision, amount in trained.items()},
        # Models are loaded in float32, and their losses and states are computed in it.
        **{key: {"float32": 1.0} for key in ("evaluate_models", "measure_covariates")},
        **{key: {embedding: 1.0} for key in ("embed_batches", "flip_switches")},
    }


def gpu_speeds(plan: RunPlan) -> dict[str, float]:
    """Operations per second of each rule whose models run on a GPU."""
    return {
        rule: _GPU_EFFICIENCY / sum(share / _GPU_PEAK[precision] for precision, share in shares.items())
        for rule, shares in gpu_precisions(plan).items()
        if shares
    }


def download_bytes(plan: RunPlan) -> tuple[float, int]:
    """Bytes of the downloads whose size is known (GPT-2 is one), and the number of data sets of unknown size."""
    known, unknown = 0.0, 0
    sets: dict[tuple[str, ...], float] = {}
    for name in plan.corpora.needed:
        spec = plan.corpora.specs[name]
        if spec["source"] == "hub" and not Path(spec["path"]).exists():
            key = tuple(str(spec.get(part)) for part in ("path", "name", "revision", "split"))
            sets[key] = max(sets.get(key, -1.0), spec.get("download_mb", -1.0))
    for megabytes in sets.values():
        known += max(megabytes, 0.0) * 1e6
        unknown += megabytes < 0
    return known + 550e6 * sum(name.startswith("model ") for name in downloads(plan)), unknown


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


def _cost(plan: RunPlan, gpu_seconds: float) -> str:
    hours = gpu_seconds / 3600
    price = plan.config["gpu_hour_price"]
    money = f", {hours * price:,.0f} at {price:g} an hour" if price else ""
    rules: dict[str, list[str]] = {}
    for rule, shares in gpu_precisions(plan).items():
        for precision in shares:
            rules.setdefault(precision, []).append(rule)
    peaks = "; ".join(
        f"{_GPU_PEAK[precision] / 1e12:g} TFLOP/s in {precision}: {', '.join(names)}"
        for precision, names in rules.items()
    )
    return f"about {hours:.1f} GPU hours{money}; estimated, not measured: {_GPU_EFFICIENCY:.0%} of an A100 ({peaks})"


def _downloads(plan: RunPlan, known: float, unknown: int) -> str:
    names = downloads(plan)
    if not names:
        return "none"
    more = f", and {unknown} data sets or parts of unknown size" if unknown else ""
    return f"about {_size(known)}{more}: {', '.join(names)}"


def _stage_table(costs: Mapping[str, StageCost], disk: Mapping[str, float]) -> list[str]:
    lines = [f"  {'stage':<12}{'jobs':>6}{'GPU':>10}{'one core':>10}{'disk':>10}"]
    for stage, cost in costs.items():
        lines.append(
            f"  {stage:<12}{cost.jobs:>6}{_or_none(cost.gpu_seconds, _duration):>10}"
            f"{_or_none(cost.cpu_seconds, _duration):>10}{_or_none(disk.get(stage, 0.0), _size):>10}"
        )
    return lines


def _or_none(amount: float, text: Any) -> str:
    return text(amount) if amount else "-"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count > 1e9 else f"{count / 1e6:.0f} MB"

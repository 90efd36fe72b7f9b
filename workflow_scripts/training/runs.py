"""All runs of one job: reuses finished runs, continues unfinished ones, and publishes the models at the end."""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.models.digests import library_versions, weights_digest
from workflow_scripts.models.folders import copy_model, save_model
from workflow_scripts.storage.content_store import content_key
from workflow_scripts.storage.folders import check_folder
from workflow_scripts.storage.revision import commit
from workflow_scripts.storage.seals import DamagedFile
from workflow_scripts.storage.tables import read_json, write_json
from workflow_scripts.training.interruption import Interruption, NotFinished
from workflow_scripts.training.processes import Execution, is_main_process, wait_for_all
from workflow_scripts.training.recipe import Recipe
from workflow_scripts.training.schedule import Blocks, Schedule

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

RUN_PREFIX = "run-"
FINISHED = "finished.json"


@dataclass(frozen=True)
class Job:
    """The runs that one job trains: a recipe on one training set."""

    recipe: Recipe
    train_set: str
    seeds: tuple[int, ...]
    data_digest: str  # of everything that affects the schedules
    base_digest: str | None
    make_model: Callable[[int], "PreTrainedModel"]
    make_schedule: Callable[[Recipe, int], Schedule]


@dataclass(frozen=True)
class Run:
    """One training run: one seed, and the recipe with the budgets at which this run saves models."""

    recipe: Recipe
    train_set: str
    seed: int
    key: str

    @property
    def label(self) -> str:
        return f"{self.train_set}, seed {self.seed}"


@dataclass(frozen=True)
class FinishedRun:
    """Where a run's models are, and its seconds; `reused` if an earlier start of the job made them."""

    run: Run
    folder: Path
    weights: dict[int, str]  # budget -> SHA-256
    seconds: float
    steps: int
    reused: bool

    def model_folder(self, budget: int) -> Path:
        return _reading_folder(self.folder, budget)


def runs_of(job: Job, execution: Execution) -> list[Run]:
    """The runs of a job. A run's key contains exactly what determines its weights, bit for bit."""
    circumstances = {
        "device": execution.device,
        "processes": execution.processes,
        "threads": execution.threads,
        "versions": versions_of(job.recipe),
    }
    return [
        Run(
            recipe,
            job.train_set,
            seed,
            content_key(
                recipe=recipe.to_dict(),
                seed=seed,
                data=job.data_digest,
                base=job.base_digest,
                circumstances=circumstances,
            ),
        )
        for seed in job.seeds
        for recipe in job.recipe.runs()
    ]


def versions_of(recipe: Recipe) -> dict[str, str]:
    """Versions of the libraries that affect the weights."""
    return library_versions() | ({"peft": version("peft")} if recipe.adapter is not None else {})


def blocks_digest(blocks: Blocks) -> str:
    """Digest of everything that determines what a run reads."""
    return content_key(input_ids=blocks.input_ids, learnable=blocks.learnable, sizes=blocks.sizes)


def finish_runs(
    job: Job, checkpoints: Path, execution: Execution, interruption: Interruption
) -> list[FinishedRun]:
    """Train every run of a job to its end, except those that an earlier start of the job finished."""
    results = []
    for run in runs_of(job, execution):
        folder = checkpoints / f"{RUN_PREFIX}{run.key}"
        facts = _finished_before(run, folder)
        reused = facts is not None
        if facts is None:
            interruption.stop_if_requested()
            _train_run(run, job, folder, execution, interruption)
            facts = read_json(folder / FINISHED)
        weights = {int(budget): digest for budget, digest in facts["weights"].items()}
        results.append(FinishedRun(run, folder, weights, facts["seconds"], facts["steps"], reused))
    return results


def _finished_before(run: Run, folder: Path) -> dict[str, Any] | None:
    """The record of a run that an earlier start of the job finished; None if there is none.

    If a model of the run is damaged, finished or not, the whole run is deleted: a later checkpoint cannot recreate
    the models of earlier budgets.
    """
    try:
        for reading in _reading_folder(folder, 0).parent.glob("tokens-*"):
            check_folder(reading, is_sealed=True)
        if not (folder / FINISHED).exists():
            return None
        facts: dict[str, Any] = read_json(folder / FINISHED)
        for budget in facts["weights"]:
            check_folder(_reading_folder(folder, int(budget)), is_sealed=True)
    except DamagedFile as damage:
        logger.warning("%s: training again from the start, because a file is damaged: %s", run.label, damage)
        shutil.rmtree(folder, ignore_errors=True)
        return None
    logger.info("%s: finished by an earlier start of this job", run.label)
    return facts


def _train_run(run: Run, job: Job, folder: Path, execution: Execution, interruption: Interruption) -> None:
    from workflow_scripts.training.engine import train  # The Trainer takes seconds to import.

    start = time.monotonic()
    schedule = job.make_schedule(run.recipe, run.seed)
    folder.mkdir(parents=True, exist_ok=True)
    done = train(
        job.make_model(run.seed),
        schedule,
        run.recipe,
        run.seed,
        folder,
        execution,
        interruption,
        lambda model, budget: save_model(model, _reading_folder(folder, budget)),
        run.label,
    )
    if not done:
        raise NotFinished
    if is_main_process():
        weights = {
            str(budget): weights_digest(_reading_folder(folder, budget)) for budget in run.recipe.tokens
        }
        facts = {"seconds": time.monotonic() - start, "steps": schedule.n_steps, "weights": weights}
        write_json(facts, folder / FINISHED)
        for checkpoint in folder.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
    wait_for_all()


def publish_models(finished: Iterable[FinishedRun], models: Path, manifest: Path) -> list[dict[str, Any]]:
    """Copy the models of all runs to their place, `seed-<s>/tokens-<n>`, and list them."""
    listed = []
    for result in finished:
        for budget, weights in result.weights.items():
            place = models / f"seed-{result.run.seed}" / f"tokens-{budget}"
            copy_model(result.model_folder(budget), place)
            listed.append(
                {
                    "train_set": result.run.train_set,
                    "seed": result.run.seed,
                    "tokens": budget,
                    "path": Path(os.path.relpath(place, manifest.parent)).as_posix(),
                    "weights_sha256": weights,
                    "tokens_seen": budget * result.run.recipe.epochs,
                }
            )
    return sorted(listed, key=lambda model: (model["seed"], model["tokens"]))


def forget_runs(checkpoints: Path) -> None:
    """Remove the finished job's runs, and the folder if it is then empty."""
    for folder in checkpoints.glob(f"{RUN_PREFIX}*"):
        shutil.rmtree(folder)
    if checkpoints.exists() and not any(checkpoints.iterdir()):
        checkpoints.rmdir()


def manifest_of(job: Job, models: list[dict[str, Any]], device: str) -> dict[str, Any]:
    """Describes how the models were made; nothing in it depends on time or machine."""
    return {
        "base_digest": job.base_digest,
        "commit": commit(),
        "data_digest": job.data_digest,
        "device": device,
        "libraries": versions_of(job.recipe),
        "models": models,
        "recipe": job.recipe.to_dict(),
        "seeds": list(job.seeds),
    }


def times_of(finished: Iterable[FinishedRun]) -> list[dict[str, Any]]:
    """Seconds of each run; for a reused run, those of an earlier start."""
    return [
        {
            "seed": result.run.seed,
            "tokens": max(result.weights),
            "steps": result.steps,
            "seconds": round(result.seconds, 3),
            "tokens_per_second": round(max(result.weights) * result.run.recipe.epochs / result.seconds, 1),
            "reused": result.reused,
        }
        for result in finished
    ]


def _reading_folder(folder: Path, budget: int) -> Path:
    return folder / "models" / f"tokens-{budget}"

"""Train the models of a pre-training experiment on a machine without Snakemake, and write their losses.

    python -m benchmarks.pretraining --config configs/gpu.yaml --corpora-folder FOLDER --work FOLDER --output FOLDER

Makes the corpora, the tokenizer and the rows of the config's first experiment with the programs of the workflow. It
trains each (training set, seed), scores it on every evaluation set, and estimates a Kneser-Ney 5-gram model from the
tokens that the seed read. OUTPUT gets losses.csv (train_set, eval_set, loss, model, tokens, seed), loss in nats per
token, and mixtures.csv (train_set, corpus, share).

A run does not start if, judging by earlier runs, it would not finish within the minutes. The same command with the
same work folder continues with the missing runs; OUTPUT has the finished ones.
"""

import argparse
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from workflow_scripts import build_corpus, make_tokenizer, tokenize_corpus, train_models
from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import read_frame, read_json, write_json, write_table

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from workflow_scripts.training.evaluation import EvaluationSet

logger = logging.getLogger(__name__)

ORDER = 5
N_GRAM = f"kneser_ney_{ORDER}"
ROW_LENGTH = 128
COLUMNS = ["train_set", "eval_set", "loss", "model", "tokens", "seed"]


@dataclass(frozen=True)
class Plan:
    """The corpora and runs of a config's first experiment, without reading any text."""

    corpora: dict[str, dict[str, Any]]
    """Corpora of the experiment and the tokenizer; a corpus from which others must be disjoint comes before them."""
    tokenizer_corpora: list[str]
    vocabulary: int
    train_sets: list[str]
    eval_sets: list[str]
    recipe: dict[str, Any]
    seeds: list[int]
    evaluation: dict[str, Any]

    @classmethod
    def of(cls, config: Mapping[str, Any], folder: Path) -> "Plan":
        experiment = config["experiments"][0]
        recipe = {**config["recipes"][experiment["recipe"]], "layout": "packed"}  # all corpora are plain text
        seeds = recipe.pop("seeds")
        train_sets, eval_sets = experiment["train_sets"], experiment["eval_sets"]
        named = dict.fromkeys([*config["tokenizer"]["corpora"], *train_sets, *eval_sets])
        corpora = {}
        for name in sorted(named, key=lambda name: bool(config["corpora"][name].get("disjoint_from"))):
            spec = dict(config["corpora"][name])
            if spec["source"] == "files":
                paths = [spec["paths"]] if isinstance(spec["paths"], str) else spec["paths"]
                spec["paths"] = [str(folder / path) for path in paths]
            corpora[name] = spec
        for name, spec in corpora.items():
            if spec["source"] not in ("files", "environment"):
                raise UserError(
                    f"corpora.{name}: its source is {spec['source']}; only files and environment are read"
                )
        of_recipe = recipe.pop("evaluation", {})
        evaluation = {**config["evaluation"], **of_recipe, "context": recipe["context"], "parts": ["whole"]}
        tokenizer = config["tokenizer"]
        return cls(
            corpora,
            tokenizer["corpora"],
            tokenizer["vocabulary"],
            train_sets,
            eval_sets,
            recipe,
            seeds,
            evaluation,
        )

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Every training set once before any of them again, so an interrupted experiment is complete for some seeds."""
        return [(train_set, seed) for seed in self.seeds for train_set in self.train_sets]


class Work:
    """The files of an experiment and how they are made; existing files are not made again."""

    def __init__(self, plan: Plan, folder: Path, device: str, threads: int):
        self.plan, self.folder, self.device, self.threads = plan, folder, device, threads
        self.tokenizer = folder / "tokenizer"
        made_from = json.loads(json.dumps(vars(plan)))
        for spec in made_from["corpora"].values():
            spec.pop("paths", None)  # the folder may be elsewhere next time
        note = folder / "plan.json"
        if note.is_file() and read_json(note) != made_from:
            raise UserError(f"{folder} has the work of another config; name another folder with --work")
        write_json(made_from, note)

    def documents(self, corpus: str) -> Path:
        return self.folder / "corpora" / corpus / "documents.parquet"

    def rows(self, corpus: str) -> Path:
        return self.folder / "tokens" / f"{corpus}.train.parquet"

    def evaluated(self, corpus: str) -> Path:
        """The held-out documents only."""
        return self.folder / "evaluated" / f"{corpus}.parquet"

    def result(self, train_set: str, seed: int) -> Path:
        return self.folder / "losses" / f"{train_set}.seed-{seed}.json"

    def prepare(self) -> None:
        """Corpora, tokenizer, rows of the training sets, held-out documents; corpora are not read after that."""
        made = [self.rows(name) for name in self.plan.train_sets]
        made += [self.evaluated(name) for name in self.plan.eval_sets]
        if all(path.is_file() for path in [*made, self.tokenizer / "tokenizer.json"]):
            return
        for name, spec in self.plan.corpora.items():
            if self.documents(name).is_file():
                continue
            options = [
                "--name",
                name,
                "--spec",
                json.dumps(spec),
                "--held-out",
                str(spec["held_out"]),
                "--seed",
                "0",
            ]
            others = [str(self.documents(other)) for other in spec.get("disjoint_from", [])]
            options += ["--disjoint-from", *others] if others else []
            manifest = self.documents(name).with_name("manifest.json")
            build_corpus.main(
                [*options, "--documents", str(self.documents(name)), "--manifest", str(manifest)]
            )
        if not (self.tokenizer / "tokenizer.json").is_file():
            texts = [str(self.documents(name)) for name in self.plan.tokenizer_corpora]
            vocabulary = ["--vocabulary", str(self.plan.vocabulary)]
            make_tokenizer.main(["--documents", *texts, *vocabulary, "--output", str(self.tokenizer)])
        for name in self.plan.train_sets:
            if not self.rows(name).is_file():
                options = [
                    "--name",
                    name,
                    "--split",
                    "train",
                    "--layout",
                    "packed",
                    "--length",
                    str(ROW_LENGTH),
                    "--seed",
                    "0",
                ]
                options += ["--documents", str(self.documents(name)), "--tokenizer", str(self.tokenizer)]
                tokenize_corpus.main([*options, "--output", str(self.rows(name))])
        for name in self.plan.eval_sets:
            documents = read_frame(self.documents(name))
            write_table(documents[documents["split"] == "eval"], self.evaluated(name))

    def evaluation_sets(self, tokenizer: "PreTrainedTokenizerBase") -> "dict[str, EvaluationSet]":
        from workflow_scripts.training.evaluation import EvaluationSettings, choose_documents

        settings = EvaluationSettings.from_dict(self.plan.evaluation)
        sets = {}
        for name in self.plan.eval_sets:
            sets[name] = choose_documents(read_frame(self.evaluated(name)), tokenizer, settings, name)
        return sets

    def train(self, train_set: str, seed: int) -> Path:
        """The folder of the trained model."""
        folder = self.folder / "training" / f"{train_set}.seed-{seed}"
        options = {
            "rows": self.rows(train_set),
            "train-set": train_set,
            "recipe": json.dumps(self.plan.recipe),
            "seeds": seed,
            "tokenizer": self.tokenizer,
            "models": folder / "models",
            "manifest": folder / "manifest.json",
            "times": folder / "times.json",
            "checkpoints": folder / "checkpoints",
            "checkpoint-seconds": 60,
            "device": self.device,
            "threads": self.threads,
        }
        train_models.main([text for key, value in options.items() for text in (f"--{key}", str(value))])
        (model,) = read_json(folder / "manifest.json")["models"]
        return folder / model["path"]

    def finish(self, train_set: str, seed: int, sets: "Mapping[str, EvaluationSet]") -> None:
        """Train a model and an n-gram model on the same tokens, score both on every set, keep their losses."""
        from workflow_scripts.models.loading import load_model
        from workflow_scripts.training.evaluation import score

        started = time.monotonic()
        model = load_model(self.train(train_set, seed))
        trained = time.monotonic() - started
        n_grams = KneserNeyOfRun(self, train_set, seed)
        losses = []
        for name, evaluated in sets.items():
            scored = sum(len(document.input_ids) - 1 for document in evaluated.documents)
            nll = {
                "transformer": score(model, evaluated, self.device)["whole"].sum(),
                N_GRAM: n_grams.nll(evaluated),
            }
            losses += [
                {
                    "train_set": train_set,
                    "eval_set": name,
                    "loss": float(total / scored),
                    "model": kind,
                    "seed": seed,
                }
                for kind, total in nll.items()
            ]
        seconds = {"training": trained, "all": time.monotonic() - started}
        write_json({"losses": losses, "seconds": seconds}, self.result(train_set, seed))
        own = {row["model"]: row["loss"] for row in losses if row["eval_set"] == train_set}
        logger.info("%s, seed %d: %s on its own held-out part, %.0f s", train_set, seed, own, seconds["all"])

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Losses of the finished runs, and the mixture of each training set."""
        found = [self.result(*one) for one in self.plan.runs if self.result(*one).is_file()]
        losses = pd.DataFrame([row for path in found for row in read_json(path)["losses"]], columns=COLUMNS)
        (tokens,) = self.plan.recipe["tokens"]
        sets = self.plan.train_sets
        return losses.assign(tokens=tokens), pd.DataFrame({"train_set": sets, "corpus": sets, "share": 1.0})


class KneserNeyOfRun:
    """An n-gram model of exactly the tokens that a run reads."""

    def __init__(self, work: Work, train_set: str, seed: int):
        from workflow_scripts.ngrams.kneser_ney import KneserNey
        from workflow_scripts.tokens.rows import read_rows
        from workflow_scripts.training.recipe import Recipe
        from workflow_scripts.training.tokens_read import tokens_read

        recipe = Recipe.from_dict(work.plan.recipe)
        ((_, rows),) = tokens_read(read_rows(work.rows(train_set)), recipe, seed, train_set)
        self.tokens = sum(map(len, rows))
        self._model = KneserNey(rows, work.plan.vocabulary, ORDER)

    def nll(self, evaluated: "EvaluationSet") -> float:
        """NLL of all tokens except the first of each document, as for trained models."""
        logs = self._model.log_probabilities([document.input_ids for document in evaluated.documents])
        return -float(sum(row[1:].sum() for row in logs))


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--corpora-folder", required=True, type=Path, help="folder of the paths of corpora")
    parser.add_argument(
        "--work", required=True, type=Path, help="folder of intermediate files; kept for the next time"
    )
    parser.add_argument("--output", required=True, type=Path, help="folder of the two tables (CSV)")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="no run starts that would end later"
    )
    parser.add_argument("--device", default="auto", help="auto (a GPU if one is visible), cpu or cuda")
    parser.add_argument("--threads", type=int, default=4)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    started = time.monotonic()
    given = build_parser().parse_args(argv)
    set_threads(given.threads)
    from workflow_scripts.models.loading import quiet_transformers
    from workflow_scripts.tokens.tokenizer import load_tokenizer
    from workflow_scripts.training.devices import resolve_device

    quiet_transformers()
    config = yaml.safe_load(given.config.read_text())
    plan = Plan.of(config, given.corpora_folder)
    work = Work(plan, given.work, resolve_device(given.device), given.threads)
    given.output.mkdir(parents=True, exist_ok=True)
    work.prepare()
    sets = work.evaluation_sets(load_tokenizer(str(work.tokenizer)))
    longest = 0.0
    for train_set, seed in plan.runs:
        if work.result(train_set, seed).is_file():
            longest = max(longest, read_json(work.result(train_set, seed))["seconds"]["all"])
            continue
        if time.monotonic() - started + longest > 60 * given.minutes:
            logger.info("%s, seed %d: not started, it would not end in time", train_set, seed)
            break
        work.finish(train_set, seed, sets)
        longest = max(longest, read_json(work.result(train_set, seed))["seconds"]["all"])
        for table, name in zip(work.tables(), ("losses", "mixtures"), strict=True):
            table.to_csv(given.output / f"{name}.csv", index=False)
    missing = sum(not work.result(*one).is_file() for one in plan.runs)
    logger.info("%d of %d runs are finished", len(plan.runs) - missing, len(plan.runs))


if __name__ == "__main__":
    run(main)

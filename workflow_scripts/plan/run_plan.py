"""Which files a config asks for, and what each is made from."""

import argparse
import itertools
import json
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from workflow_scripts.metrics.registry import metric_class
from workflow_scripts.plan.corpus_graph import CorpusGraph
from workflow_scripts.plan.experiments import is_recorded, trained, training_corpora
from workflow_scripts.plan.families import families
from workflow_scripts.plan.outside_plan import OutsidePlan
from workflow_scripts.plan.surroundings import as_overlay

ROW_SOURCES = ("mixture", "random_tokens")

# Keys of an estimator in the config that are no fields of the estimator itself.
_EMBEDDING_SETTINGS = (
    "layout",
    "head_epochs",
    "batches",
    "microbatch",
    "rows",
    "sampling",
    "fewer_rows",
    "measured_as",
)


class RunPlan:
    """The files of one run.

    Every path begins with `root`. Nothing is read but the config, and, when it says `only_existing`, whether a
    file is there.
    """

    def __init__(self, config: dict[str, Any]):
        self.config = config
        self.root = config["pathvars"].get("results", f"{config['results']}/{config['run']}")
        self.corpora = CorpusGraph(config)
        self.outside = OutsidePlan(config, self.root, self.present)

    # -- tokens ---------------------------------------------------------------------------------------------

    @property
    def tokenizer_source(self) -> list[str]:
        """Options that name a pretrained tokenizer; none when it is trained."""
        settings = self.config["tokenizer"]
        if not settings["pretrained"]:
            return []
        revision = ["--revision", settings["revision"]] if settings["revision"] else []
        return ["--pretrained", settings["pretrained"], *revision]

    def documents(self, corpus: str) -> str:
        return f"{self.root}/corpora/{corpus}/documents.parquet"

    def rows(self, corpus: str, split: str, layout: str = "packed") -> str:
        return f"{self.root}/tokens/{corpus}/{split}.{layout}.parquet"

    def set_rows(self, set_name: str, layout: str = "packed") -> str:
        """Rows of a set, `<corpus>.<split>`, in a layout; random tokens fill whole rows, whatever the layout."""
        corpus, split = set_name.split(".")
        is_random = self.config["corpora"][corpus]["source"] == "random_tokens"
        return self.rows(corpus, split, "packed" if is_random else layout)

    @property
    def mix_unit(self) -> int:
        """Rows of one corpus that stay together in a mixture: the longest training context of the run."""
        longest = max(recipe["context"] for recipe in self.config["recipes"].values())
        return longest // self.config["rows"]["length"]

    # -- probe and embeddings -------------------------------------------------------------------------------

    @cached_property
    def probes(self) -> list[str]:
        if "pretrained" in self.config["probe"]["model"]:
            return ["pretrained"]
        return [f"seed-{seed}" for seed in self.config["probe"]["seeds"]]

    @property
    def probe(self) -> str:
        """Folder of the probe that metrics use and fine-tuning starts from."""
        return f"{self.root}/probe/{self.probes[0]}"

    def probe_seed(self, probe: str) -> int:
        """Seed in the name of a probe; a pretrained one has none, and 0 is passed on."""
        return int(probe.removeprefix("seed-")) if probe in self.probes and probe != "pretrained" else 0

    @property
    def probe_model_json(self) -> str:
        return _json(self.config["probe"]["model"])

    @property
    def probe_settings_json(self) -> str:
        """How the probe is trained, apart from its corpora and tokens."""
        return _json(self.config["probe"]["training"])

    @cached_property
    def sets(self) -> list[str]:
        """Sets whose alignment is measured, the floor among them."""
        train = {f"{name}.train" for e in self.config["experiments"] for name in training_corpora(e)}
        evaluated = {f"{name}.eval" for e in self.config["experiments"] for name in e["eval_sets"]}
        return sorted(train | evaluated | {self.floor})

    @property
    def floor(self) -> str:
        return f"{self.config['alignment']['floor']}.train"

    def measured_as(self, set_name: str, estimator: str | None = None) -> str:
        """The set that stands for one wherever alignment is measured: itself, unless the config names another."""
        corpus, side = set_name.split(".")
        stand_ins = dict(self.config["alignment"]["measured_as"])
        if estimator is not None:
            stand_ins |= self.config["estimators"][estimator]["measured_as"]
        stand_in = stand_ins.get(corpus, corpus)
        return stand_in if "." in stand_in else f"{stand_in}.{side}"

    def measured_rows(self, set_name: str) -> str:
        """Rows that metrics and covariates read of a set."""
        return self.set_rows(self.measured_as(set_name))

    def embedding(self, set_name: str, estimator: str) -> str:
        folder = f"{self.root}/embeddings/{self.probes[0]}/{estimator}"
        return f"{folder}/{self.measured_as(set_name, estimator)}.parquet"

    @cached_property
    def estimators(self) -> list[str]:
        """Fisher estimators whose embeddings a metric of the run compares."""
        return sorted({e for m in self.config["alignment"]["metrics"] if (e := metric_class(m).estimator())})

    def estimator_json(self, name: str) -> str:
        """The estimator's own fields: its name, and what the config overrides."""
        settings = self.config["estimators"][name]
        return _json({"name": name, **{k: v for k, v in settings.items() if k not in _EMBEDDING_SETTINGS}})

    def estimator_batches(self, name: str) -> int:
        """Batches that an estimator embeds.

        Where they are those of the other metrics, in the same order, they are no more than those.
        """
        settings, general = self.config["estimators"][name], self.config["alignment"]["batches"]
        asked = settings["batches"] or general
        of_its_own = settings["rows"] or settings["sampling"] == "same"
        return asked if of_its_own else min(asked, general)

    def estimator_rows(self, name: str) -> int:
        """Rows of a batch that an estimator embeds."""
        return self.config["estimators"][name]["rows"] or self.config["alignment"]["rows"]

    def estimator_sampling(self, name: str) -> str:
        return self.config["estimators"][name]["sampling"]

    def fewer_rows(self, estimator: str | None) -> list[str]:
        """The option that lets a set with few rows have smaller batches, where the estimator asks for it."""
        asked = estimator is not None and self.config["estimators"][estimator]["fewer_rows"]
        return ["--fewer-rows"] if asked else []

    def metric_batches(self, metric: str) -> int:
        """Batches that a metric compares."""
        estimator = metric_class(metric).estimator()
        return self.config["alignment"]["batches"] if estimator is None else self.estimator_batches(estimator)

    def metric_rows(self, metric: str) -> int:
        """Rows of a batch that a metric compares."""
        estimator = metric_class(metric).estimator()
        return self.config["alignment"]["rows"] if estimator is None else self.estimator_rows(estimator)

    def metric_fewer_rows(self, metric: str) -> list[str]:
        return self.fewer_rows(metric_class(metric).estimator())

    def metric_inputs(self, metric: str) -> list[str]:
        """What a metric reads of each set, in the order of `sets`: embeddings, or rows."""
        return self.inputs_of(metric, self.sets)

    def inputs_of(self, metric: str, sets: Iterable[str]) -> list[str]:
        """What a metric reads of some sets, in their order."""
        estimator = metric_class(metric).estimator()
        if estimator is None:
            return [self.measured_rows(name) for name in sets]
        return [self.embedding(name, estimator) for name in sets]

    def metric_encoder(self, metric: str) -> list[str]:
        """Options that name the sentence encoder, for a metric that needs one."""
        return (
            ["--encoder", self.config["alignment"]["encoder"]]
            if "encoder" in metric_class(metric).needs
            else []
        )

    def metric_times(self, metric: str) -> list[str]:
        """Files that say how long each embedding took; none for a metric that computes its own features."""
        estimator = metric_class(metric).estimator()
        if estimator is None:
            return []
        folder = f"{self.root}/times/embed_batches/{self.probes[0]}/{estimator}"
        return [f"{folder}/{self.measured_as(name, estimator)}.json" for name in self.sets]

    # -- training and losses --------------------------------------------------------------------------------

    def recipe(self, name: str) -> dict[str, Any]:
        return self.config["recipes"][name]

    def layout(self, recipe: str, corpus: str) -> str:
        """Layout of a training set: as the recipe says; auto gives pairs a row each and packs the rest."""
        asked = self.recipe(recipe)["layout"]
        if self.config["corpora"][corpus]["source"] in ROW_SOURCES:
            return "packed"
        if asked != "auto":
            return asked
        return "documents" if self.corpora.is_paired(corpus) else "packed"

    @cached_property
    def training(self) -> list[tuple[str, str, str]]:
        """(recipe, training set, seeds) of every training job."""
        wanted = {(e["recipe"], name) for e in trained(self.config) for name in e["train_sets"]}
        return [
            (recipe, name, seeds) for recipe, name in sorted(wanted) for seeds in self._seed_chunks(recipe)
        ]

    def _seed_chunks(self, recipe: str) -> list[str]:
        """Seeds in groups that share a process; a new seed at the end of the list makes a new group."""
        seeds, size = self.recipe(recipe)["seeds"], self.config["seeds_per_job"]
        return ["-".join(map(str, seeds[i : i + size])) for i in range(0, len(seeds), size)]

    def manifests(self, recipe: str) -> list[str]:
        """Manifests of all models of a recipe."""
        return self.present(
            f"{self.root}/training/{r}/{name}/seeds-{seeds}/manifest.json"
            for r, name, seeds in self.training
            if r == recipe
        )

    @cached_property
    def evaluations(self) -> list[tuple[str, str]]:
        """(recipe, evaluation set) of every evaluation job."""
        return sorted({(e["recipe"], name) for e in trained(self.config) for name in e["eval_sets"]})

    def budgets(self, recipe: str, eval_set: str) -> list[int]:
        """Budgets of a recipe at which some experiment reads the loss on an evaluation set."""
        return sorted(
            {
                tokens
                for e in trained(self.config)
                if e["recipe"] == recipe and eval_set in e["eval_sets"]
                for tokens in e.get("tokens") or self.recipe(recipe)["tokens"]
            }
        )

    @property
    def losses(self) -> list[str]:
        """Tables of losses; under `only_existing` those of recipes of which some model was trained."""
        return [
            f"{self.root}/losses/{recipe}/{eval_set}.parquet"
            for recipe, eval_set in self.evaluations
            if self.manifests(recipe)
        ]

    def base(self, recipe: str) -> list[str]:
        """The files of the weights that a recipe starts from, when the workflow makes them."""
        return [f"{self.probe}/model.safetensors"] if "base" in self.recipe(recipe)["model"] else []

    def recipe_json(self, name: str, train_set: str) -> str:
        """A recipe as a training job is told it: with the layout settled, without the seeds."""
        settings = {
            key: value for key, value in self.recipe(name).items() if key not in ("seeds", "evaluation")
        }
        return _json({**settings, "layout": self.layout(name, train_set)})

    def evaluation_json(self, recipe: str) -> str:
        return _json({**self.evaluation(recipe), "context": self.recipe(recipe)["context"]})

    def evaluation(self, recipe: str) -> dict[str, Any]:
        """How the models of a recipe are evaluated: as the run says, but for what the recipe says."""
        return {**self.config["evaluation"], **self.recipe(recipe).get("evaluation", {})}

    @property
    def experiments_json(self) -> str:
        """The experiments as the analysis is told them; trained ones with budgets, seeds, families and controls."""
        experiments = []
        for experiment in self.config["experiments"]:
            if is_recorded(experiment):
                experiments.append(experiment)
                continue
            recipe = self.recipe(experiment["recipe"])
            tokens = sorted(experiment.get("tokens") or recipe["tokens"])
            experiments.append(
                {
                    **experiment,
                    "tokens": tokens,
                    "seeds": recipe["seeds"],
                    "families": families(self.corpora, experiment["train_sets"]),
                    "controls": [
                        name
                        for name in experiment["train_sets"]
                        if self.corpora.specs[name].get("role") == "control"
                    ],
                }
            )
        return _json(experiments)

    @property
    def training_times(self) -> list[str]:
        """Files that say how long each training job took."""
        return [
            f"{self.root}/times/train_models/{recipe}/{name}/seeds-{seeds}.json"
            for recipe, name, seeds in self.training
        ]

    # -- analysis and report --------------------------------------------------------------------------------

    @property
    def collapse_tables(self) -> dict[str, str]:
        """Our own runs under the law, by name; none where nothing is trained."""
        names = ("loss_collapse", "loss_collapse_curves") if trained(self.config) else ()
        return {name: f"{self.root}/analysis/{name}.parquet" for name in names}

    @property
    def mixed_of_json(self) -> str:
        """Corpora and shares that every training set is made of."""
        names = {name for e in trained(self.config) for name in e["train_sets"]}
        return _json({name: self.corpora.mixed_of(name) for name in names})

    analysis_tables = (
        "points",
        "correlation",
        "metric_differences",
        "leave_one_out",
        "choice",
        "choice_cost",
        "exchange_rate",
        "published",
        "published_points",
    )

    @property
    def switch_sets(self) -> list[str]:
        """Sets whose alignment is measured with every switch flipped; none where the config leaves that out."""
        asked = self.config["switches"] or {"train_sets": [], "eval_sets": []}
        train, evaluated = asked["train_sets"], asked["eval_sets"]
        return [f"{name}.train" for name in train] + [f"{name}.eval" for name in evaluated]

    def switch_rows(self, layout: str) -> list[str]:
        """Rows of these sets; both sides of every comparison have the same layout."""
        return [self.set_rows(name, layout) for name in self.switch_sets]

    @property
    def switch_tables(self) -> dict[str, str]:
        """The table of switches by name, unless the config leaves it out or what it is made from is missing."""
        measured = [f"{self.root}/analysis/switch_alignments.parquet"] if self.switch_sets else []
        return {"switches": f"{self.root}/analysis/switches.parquet"} if self.present(measured) else {}

    @property
    def one_sentence_model(self) -> list[str]:
        """Options that name the model that stands in for GPT-2; none unless the probe is a pretrained one."""
        model = self.config["probe"]["model"]
        revision = ["--revision", model["revision"]] if model.get("revision") else []
        return ["--model", model["pretrained"], *revision] if "pretrained" in model else []

    @property
    def baselines(self) -> list[str]:
        """Cheap metrics that every other one is correlated given: does it add anything to them?"""
        return [metric for metric in self.config["alignment"]["metrics"] if metric in ("unigram_js",)]

    @property
    def report_tables(self) -> dict[str, str]:
        """Tables of the page by name."""
        return {
            **{name: f"{self.root}/analysis/{name}.parquet" for name in self.analysis_tables},
            **self.switch_tables,
            **self.collapse_tables,
            **self.outside.tables,
            "alignment": f"{self.root}/alignment/alignment.parquet",
            "loss_summary": f"{self.root}/losses/loss_summary.parquet",
        }

    @property
    def page(self) -> str:
        return f"{self.root}/report/index.html"

    @property
    def config_json(self) -> str:
        """The config as the page shows it, without what differs from machine to machine."""
        private = (
            "results",
            "pathvars",
            "only_existing",
            "resources",
            "directories",
            "container",
            "gpu_hour_price",
        )
        return _json({key: value for key, value in self.config.items() if key not in private})

    def set_hub_cache(self) -> None:
        """Where the programs that this process starts keep what they download."""
        if self.config["directories"]["hub_cache"]:
            os.environ["HF_HOME"] = os.path.expandvars(self.config["directories"]["hub_cache"])

    # -- what is there --------------------------------------------------------------------------------------

    def command_for_what_exists(self, snakefile: str, given: Sequence[str]) -> str:
        """The shell command that makes the page from what a failed run left, with the same config, where it ran.

        `given` are the arguments of the failed run: a run on a cluster makes its page there, too.
        """
        overlay = Path(self.root) / "store" / "only_existing.json"
        overlay.parent.mkdir(parents=True, exist_ok=True)
        overlay.write_text(_json(as_overlay({**self.config, "only_existing": True})), encoding="utf-8")
        # The failed run still holds the lock of the working directory.
        command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--nolock"]
        return shlex.join([*command, *execution_options(given), "--configfile", str(overlay), "--", "report"])

    def present(self, paths: Iterable[str]) -> list[str]:
        """The paths; under `only_existing` those that exist."""
        paths = list(paths)
        return [path for path in paths if Path(path).exists()] if self.config["only_existing"] else paths


def execution_options(given: Sequence[str]) -> list[str]:
    """Of the arguments of a snakemake call, those that say where and how many jobs run."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for names in (
        ("--profile",),
        ("--workflow-profile",),
        ("--executor", "-e"),
        ("--jobs", "-j"),
        ("--cores", "-c"),
    ):
        parser.add_argument(*names, nargs="?")
    chosen, others = parser.parse_known_args(given)
    options = [
        word
        for name, value in vars(chosen).items()
        if value is not None
        for word in (f"--{name.replace('_', '-')}", value)
    ]
    for option, following in itertools.zip_longest(others, others[1:], fillvalue="-"):
        if option.startswith("--slurm-"):
            options += [option] if following.startswith("-") else [option, following]
    return options


def _json(value: Any) -> str:
    """One line of JSON, equal for equal values."""
    return json.dumps(value, sort_keys=True)

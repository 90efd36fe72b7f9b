"""Models: which are trained, on what data, and which losses are evaluated."""

from functools import cached_property
from typing import Any

from workflow_scripts.plan.corpus_graph import CorpusGraph
from workflow_scripts.plan.experiments import trained
from workflow_scripts.plan.stages.files import RunFiles, one_line
from workflow_scripts.plan.stages.probe import Probe

ROW_SOURCES = ("mixture", "random_tokens")
NGRAM_ORDER = 5
NGRAM_MOST_TOKENS = 20_000_000
"""Larger budgets get no n-gram model: this one takes a minute or two and 4 GB of memory, which grow with the tokens."""


class Training:
    def __init__(self, config: dict[str, Any], files: RunFiles, corpora: CorpusGraph, probe: Probe):
        self.config = config
        self.files = files
        self.corpora = corpora
        self.probe = probe
        self.experiments = trained(config)

    def recipe(self, name: str) -> dict[str, Any]:
        return self.config["recipes"][name]

    def layout(self, recipe: str, corpus: str) -> str:
        """Layout of a training set, from the recipe; auto gives each pair its own row and packs other text."""
        asked = self.recipe(recipe)["layout"]
        if self.config["corpora"][corpus]["source"] in ROW_SOURCES:
            return "packed"
        if asked != "auto":
            return asked
        return "documents" if self.corpora.is_paired(corpus) else "packed"

    @cached_property
    def jobs(self) -> list[tuple[str, str, str]]:
        """(recipe, training set, seeds) of every training job."""
        wanted = {(e["recipe"], name) for e in self.experiments for name in e["train_sets"]}
        return [
            (recipe, name, seeds) for recipe, name in sorted(wanted) for seeds in self._seed_chunks(recipe)
        ]

    def _seed_chunks(self, recipe: str) -> list[str]:
        """Seeds in groups that share a process; a seed added at the end of the list starts a new group."""
        seeds, size = self.recipe(recipe)["seeds"], self.config["seeds_per_job"]
        return ["-".join(map(str, seeds[i : i + size])) for i in range(0, len(seeds), size)]

    def manifests(self, recipe: str) -> list[str]:
        """Manifests of all models of a recipe."""
        return self.files.present(
            f"{self.files.root}/training/{r}/{name}/seeds-{seeds}/manifest.json"
            for r, name, seeds in self.jobs
            if r == recipe
        )

    @property
    def times(self) -> list[str]:
        """Files that say how long each training job took."""
        return self.files.present(
            f"{self.files.root}/times/train_models/{recipe}/{name}/seeds-{seeds}.json"
            for recipe, name, seeds in self.jobs
        )

    @cached_property
    def evaluations(self) -> list[tuple[str, str]]:
        """(recipe, evaluation set) of every evaluation job."""
        return sorted({(e["recipe"], name) for e in self.experiments for name in e["eval_sets"]})

    def budgets(self, recipe: str, eval_set: str) -> list[int]:
        """Budgets of a recipe at which some experiment reads the loss on an evaluation set."""
        asking = [e for e in self.experiments if e["recipe"] == recipe and eval_set in e["eval_sets"]]
        return sorted({tokens for experiment in asking for tokens in experiment["tokens"]})

    @property
    def losses(self) -> list[str]:
        """Tables of losses; after a failed run, only for recipes with at least one trained model."""
        return [
            f"{self.files.root}/losses/{recipe}/{eval_set}.parquet"
            for recipe, eval_set in self.evaluations
            if self.manifests(recipe)
        ]

    @cached_property
    def ngram_jobs(self) -> list[tuple[str, str]]:
        """(recipe, training set) of every job that scores n-gram models."""
        wanted = sorted({(recipe, name) for recipe, name, _ in self.jobs})
        return [job for job in wanted if self.ngram_budgets(*job)]

    def ngram_budgets(self, recipe: str, train_set: str) -> list[int]:
        """Budgets at which some experiment reads the loss of a training set, unless they are too large to count."""
        wanted = {tokens for experiment in self._asking(recipe, train_set) for tokens in experiment["tokens"]}
        return sorted(tokens for tokens in wanted if tokens <= NGRAM_MOST_TOKENS)

    def ngram_eval_sets(self, recipe: str, train_set: str) -> list[str]:
        """Evaluation sets on which some experiment reads the loss of a training set."""
        return sorted({name for e in self._asking(recipe, train_set) for name in e["eval_sets"]})

    def _asking(self, recipe: str, train_set: str) -> list[dict[str, Any]]:
        return [e for e in self.experiments if e["recipe"] == recipe and train_set in e["train_sets"]]

    @property
    def ngram_losses(self) -> list[str]:
        """Tables of losses of n-gram models."""
        return self.files.present(
            f"{self.files.root}/losses/ngrams/{recipe}/{name}.parquet" for recipe, name in self.ngram_jobs
        )

    @property
    def ngram_summary(self) -> list[str]:
        """The table of all n-gram losses; none if nothing is trained, or if a record is older than this table."""
        path = f"{self.files.root}/losses/ngram_summary.parquet"
        return [path] if self.ngram_losses else self.files.present([path] if self.ngram_jobs else [])

    def base(self, recipe: str) -> list[str]:
        """The files of the weights that a recipe starts from, when the workflow makes them."""
        return [self.probe.weights] if "base" in self.recipe(recipe)["model"] else []

    def recipe_json(self, name: str, train_set: str) -> str:
        """A recipe as it is passed to a training job: with the layout decided, without the seeds."""
        settings = {
            key: value for key, value in self.recipe(name).items() if key not in ("seeds", "evaluation")
        }
        return one_line({**settings, "layout": self.layout(name, train_set)})

    def evaluation_json(self, recipe: str) -> str:
        settings = self.recipe(recipe)
        return one_line({**settings["evaluation"], "context": settings["context"]})

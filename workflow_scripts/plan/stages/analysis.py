"""The questions that are asked of alignments and losses, and the tables that answer them."""

from typing import Any

from workflow_scripts.plan.corpus_graph import CorpusGraph
from workflow_scripts.plan.experiments import is_recorded, trained
from workflow_scripts.plan.families import families
from workflow_scripts.plan.stages.files import RunFiles, one_line
from workflow_scripts.plan.stages.tokens import Tokens

# Tables of every run.
TABLES = (
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


class Analysis:
    def __init__(self, config: dict[str, Any], files: RunFiles, corpora: CorpusGraph, tokens: Tokens):
        self.config = config
        self.files = files
        self.corpora = corpora
        self.tokens = tokens

    @property
    def experiments_json(self) -> str:
        """The experiments as they are passed to programs; trained ones with seeds, families and controls."""
        return one_line([self._with_families(experiment) for experiment in self.config["experiments"]])

    def _with_families(self, experiment: dict[str, Any]) -> dict[str, Any]:
        if is_recorded(experiment):
            return experiment
        train_sets, specs = experiment["train_sets"], self.corpora.specs
        return {
            **experiment,
            "seeds": self.config["recipes"][experiment["recipe"]]["seeds"],
            "families": families(self.corpora, train_sets),
            "controls": [name for name in train_sets if specs[name].get("role") == "control"],
        }

    @property
    def mixed_of_json(self) -> str:
        """Corpora and shares that every training set is made of."""
        names = {name for e in trained(self.config) for name in e["train_sets"]}
        return one_line({name: self.corpora.mixed_of(name) for name in names})

    @property
    def tables(self) -> dict[str, str]:
        """Tables of every run by name, plus those of trained runs if something is trained."""
        of_runs = ("loss_collapse", "loss_collapse_curves", "predictions") if trained(self.config) else ()
        return {name: self._path(name) for name in (*TABLES, *of_runs)}

    @property
    def switch_sets(self) -> list[str]:
        """Sets whose alignment is measured with every switch flipped; none if the config leaves switches out."""
        asked = self.config["switches"] or {"train_sets": [], "eval_sets": []}
        train, evaluated = asked["train_sets"], asked["eval_sets"]
        return [f"{name}.train" for name in train] + [f"{name}.eval" for name in evaluated]

    def switch_rows(self, layout: str) -> list[str]:
        """Rows of these sets; both sides of every comparison have the same layout."""
        return [self.tokens.of_set(name, layout) for name in self.switch_sets]

    @property
    def switch_tables(self) -> dict[str, str]:
        """The table of switches by name, unless the config leaves it out or its inputs are missing."""
        measured = [self._path("switch_alignments")] if self.switch_sets else []
        return {"switches": self._path("switches")} if self.files.present(measured) else {}

    def _path(self, table: str) -> str:
        return f"{self.files.root}/analysis/{table}.parquet"

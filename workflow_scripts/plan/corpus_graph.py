"""Which corpora a run needs, what they are made from, and how their documents are split into sides."""

import json
from functools import cached_property
from typing import Any

from workflow_scripts.errors import UserError
from workflow_scripts.plan.experiments import training_corpora
from workflow_scripts.plan.questions import corpora_of
from workflow_scripts.plan.sources import in_folder, input_files, packages_of
from workflow_scripts.plan.stages.files import SetName


class CorpusGraph:
    """The corpora of a config and how they depend on each other."""

    def __init__(self, config: dict[str, Any]):
        self.config = config
        self.specs: dict[str, dict[str, Any]] = {
            name: {**spec, "paths": in_folder(spec["paths"], config["corpora_folder"])}
            if spec["source"] == "files"
            else spec
            for name, spec in config["corpora"].items()
        }

    def parents(self, name: str) -> list[str]:
        """Corpora that this one is made from."""
        spec = self.specs[name]
        if spec["source"] == "derived":
            return [spec["base"]]
        if spec["source"] == "mixture":
            return sorted(spec["fractions"])
        return []

    def origin(self, name: str) -> str:
        """The corpus at the root of a chain of derivations."""
        while self.specs[name]["source"] == "derived":
            name = self.specs[name]["base"]
        return name

    def held_out(self, name: str) -> float:
        """Share of a corpus' source objects on its eval side; a derived corpus uses its origin's share."""
        return float(self.specs[self.origin(name)].get("held_out", 0))

    def is_paired(self, name: str) -> bool:
        """Whether documents are pairs of a prompt and a completion."""
        spec = self.specs[name]
        if spec["source"] == "environment":
            return str(spec["kind"]).startswith("pairs_")
        return "completion" in spec or "completion_template" in spec

    def has_pairs(self, name: str) -> bool:
        """Whether rows may hold pairs: also those of a mixture of pairs with other text."""
        if self.specs[name]["source"] == "mixture":
            return any(map(self.has_pairs, self.parents(name)))
        return self.is_paired(name)

    @cached_property
    def needed(self) -> list[str]:
        """Every corpus that the config uses, and the corpora that these are made of."""
        names = {self.config["alignment"]["floor"], *self.reserved}
        for experiment in self.config["experiments"]:
            names |= {*training_corpora(experiment), *experiment["eval_sets"]}
        names |= corpora_of(self.config["questions"])
        for part in (self.config["alignment"], *self.config["estimators"].values()):
            names |= {
                SetName.of(other).corpus for name, other in part["measured_as"].items() if name in names
            }
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            for other in [*self.parents(name), *self.specs[name].get("disjoint_from", [])]:
                if other not in names:
                    names.add(other)
                    waiting.append(other)
        return sorted(names)

    def needed_of(self, source: str) -> list[str]:
        """Needed corpora of one source."""
        return [name for name in self.needed if self.specs[name]["source"] == source]

    @property
    def of_tokenizer(self) -> list[str]:
        """Corpora that the tokenizer is trained on; none when it is pretrained."""
        tokenizer = self.config["tokenizer"]
        return [] if tokenizer["pretrained"] else sorted(tokenizer["corpora"])

    @property
    def of_probe(self) -> list[str]:
        """Corpora that the probe is trained on; none when it is pretrained."""
        probe = self.config["probe"]
        return [] if "pretrained" in probe["model"] else sorted(probe["corpora"])

    def disjoint_from(self, name: str) -> list[str]:
        """Corpora whose train sides must contain no near-duplicate of this one's eval side."""
        return sorted(self.specs[name].get("disjoint_from", []))

    def fractions(self, name: str) -> list[float]:
        """Shares of a mixture, in the order of `parents`."""
        shares = self.specs[name]["fractions"]
        return [shares[parent] for parent in self.parents(name)]

    def mixed_of(self, name: str) -> dict[str, float]:
        """Shares of the corpora in a mixture, with nested mixtures split up; any other corpus has share 1 of itself."""
        if self.specs[name]["source"] != "mixture":
            return {name: 1.0}
        shares: dict[str, float] = {}
        for parent, share in zip(self.parents(name), self.fractions(name), strict=True):
            for corpus, its_share in self.mixed_of(parent).items():
                shares[corpus] = shares.get(corpus, 0.0) + share * its_share
        return shares

    def spec_json(self, name: str) -> str:
        """The spec that is passed to a corpus' source; names and sides of other corpora are passed separately."""
        spec = self.specs[name]
        return json.dumps(
            {
                key: spec[key]
                for key in sorted(spec)
                if key not in ("held_out", "disjoint_from", "download_mb", "family", "role")
            }
        )

    def files_read(self, name: str) -> list[str]:
        """The user's files that a corpus is read from; under `only_existing`, none if they were deleted."""
        try:
            return input_files(self.specs[name])
        except UserError:
            if not self.config["only_existing"]:
                raise
            return []

    def modules(self, name: str) -> list[str]:
        """The program that builds a corpus, and the module of its source, which it finds by name."""
        source = self.specs[name]["source"]
        of_source = [] if source == "derived" else [f"workflow_scripts.corpora.sources.{source}"]
        return ["workflow_scripts.build_corpus", *of_source]

    def packages_read(self, name: str) -> list[str]:
        """Installed packages whose text a corpus is made of; a new version of one rebuilds the corpus."""
        return [package for package in packages_of(self.specs[name]) if package != "stdlib"]

    @property
    def reserved(self) -> set[str]:
        """Corpora of the tokenizer and the probe, where the workflow trains them."""
        return {*self.of_tokenizer, *self.of_probe}

    @cached_property
    def with_documents(self) -> list[str]:
        """Needed corpora that are tables of documents (the others are made of rows)."""
        return [
            name for name in self.needed if self.specs[name]["source"] not in ("mixture", "random_tokens")
        ]

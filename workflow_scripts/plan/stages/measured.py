"""Which sets are measured, and which of them are represented by another set's rows."""

from functools import cached_property
from typing import Any

from workflow_scripts.metrics.registry import metric_class
from workflow_scripts.plan.corpus_graph import CorpusGraph
from workflow_scripts.plan.experiments import trained, training_corpora
from workflow_scripts.plan.questions import candidates_of, measured, targets_of
from workflow_scripts.plan.stages.files import SetName


class MeasuredSets:
    def __init__(self, config: dict[str, Any], corpora: CorpusGraph):
        self.config = config
        self.corpora = corpora

    @cached_property
    def names(self) -> list[str]:
        """Sets whose alignment is measured, including the floor."""
        train = {f"{name}.train" for e in self.config["experiments"] for name in training_corpora(e)}
        evaluated = {f"{name}.eval" for e in self.config["experiments"] for name in e["eval_sets"]}
        for question in measured(self.config):
            train |= {f"{name}.train" for name in candidates_of(question)}
            evaluated |= {f"{name}.eval" for name in targets_of(question)}
        return sorted(train | evaluated | {self.floor})

    @cached_property
    def in_order(self) -> list[str]:
        """The same in the order of the config's corpora."""
        order = {corpus: number for number, corpus in enumerate(self.config["corpora"])}
        return sorted(self.names, key=lambda name: (order[SetName.of(name).corpus], name))

    @cached_property
    def of_curve(self) -> tuple[list[str], list[str]]:
        """Training sets and evaluation sets of trained experiments: what alignment by rows is measured between."""
        experiments = trained(self.config)
        return (
            sorted({f"{name}.train" for one in experiments for name in one["train_sets"]}),
            sorted({f"{name}.eval" for one in experiments for name in one["eval_sets"]}),
        )

    @cached_property
    def with_answers(self) -> list[str]:
        """Sets whose answers are compared as well: those of experiments with losses of answers, and the floor."""
        names = set()
        for experiment in trained(self.config):
            targets = [name for name in experiment["eval_sets"] if self.corpora.is_paired(name)]
            if targets:
                names |= {f"{name}.train" for name in experiment["train_sets"]}
                names |= {f"{name}.eval" for name in targets} | {self.floor}
        return sorted(names)

    @cached_property
    def answering(self) -> list[str]:
        """Metrics that compare answers: those that the config names, or else all that can."""
        metrics, named = self.config["alignment"]["metrics"], self.config["alignment"]["answers"]
        if not self.with_answers:
            return []
        return [name for name in metrics if (metric_class(name).answers if named is None else name in named)]

    def has_pairs(self, set_name: str, estimator: str) -> bool:
        """Whether the rows that an estimator embeds are pairs; the answers then get a separate embedding."""
        return self.corpora.has_pairs(SetName.of(self.standing_for(set_name, estimator)).corpus)

    @property
    def floor(self) -> str:
        return f"{self.config['alignment']['floor']}.train"

    def standing_for(self, set_name: str, estimator: str | None = None) -> str:
        """The set itself, unless the config names another one to measure instead."""
        name = SetName.of(set_name)
        stand_ins = dict(self.config["alignment"]["measured_as"])
        if estimator is not None:
            stand_ins |= self.config["estimators"][estimator]["measured_as"]
        stand_in = SetName.of(stand_ins.get(name.corpus, name.corpus))
        return str(SetName(stand_in.corpus, stand_in.side or name.side))

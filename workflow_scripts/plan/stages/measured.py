"""Which sets are measured, and which set stands for one wherever alignment is measured."""

from functools import cached_property
from typing import Any

from workflow_scripts.plan.experiments import training_corpora
from workflow_scripts.plan.questions import candidates_of, measured, targets_of
from workflow_scripts.plan.stages.files import SetName


class MeasuredSets:
    def __init__(self, config: dict[str, Any]):
        self.config = config

    @cached_property
    def names(self) -> list[str]:
        """Sets whose alignment is measured, the floor among them."""
        train = {f"{name}.train" for e in self.config["experiments"] for name in training_corpora(e)}
        evaluated = {f"{name}.eval" for e in self.config["experiments"] for name in e["eval_sets"]}
        for question in measured(self.config):
            train |= {f"{name}.train" for name in candidates_of(question)}
            evaluated |= {f"{name}.eval" for name in targets_of(question)}
        return sorted(train | evaluated | {self.floor})

    @property
    def floor(self) -> str:
        return f"{self.config['alignment']['floor']}.train"

    def standing_for(self, set_name: str, estimator: str | None = None) -> str:
        """The set itself, unless the config has another measured in its place."""
        name = SetName.of(set_name)
        stand_ins = dict(self.config["alignment"]["measured_as"])
        if estimator is not None:
            stand_ins |= self.config["estimators"][estimator]["measured_as"]
        stand_in = SetName.of(stand_ins.get(name.corpus, name.corpus))
        return str(SetName(stand_in.corpus, stand_in.side or name.side))

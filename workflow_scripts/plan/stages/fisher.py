"""Fisher embeddings: which estimators, of which sets, from which batches."""

from functools import cached_property
from typing import Any

from workflow_scripts.metrics.registry import metric_class
from workflow_scripts.plan.stages.files import RunFiles, one_line
from workflow_scripts.plan.stages.measured import MeasuredSets
from workflow_scripts.plan.stages.probe import Probe
from workflow_scripts.tokens.parts import ANSWER, WHOLE

# Keys of an estimator in the config that are no fields of the estimator itself.
_OF_BATCHES = (
    "layout",
    "head_epochs",
    "batches",
    "microbatch",
    "rows",
    "sampling",
    "fewer_rows",
    "measured_as",
)


class Fisher:
    def __init__(self, config: dict[str, Any], files: RunFiles, probe: Probe, sets: MeasuredSets):
        self.config = config
        self.root = files.root
        self.probe = probe
        self.sets = sets

    @cached_property
    def estimators(self) -> list[str]:
        """Fisher estimators whose embeddings a metric of the run compares."""
        return sorted({e for m in self.config["alignment"]["metrics"] if (e := metric_class(m).estimator())})

    @cached_property
    def of_answers(self) -> list[str]:
        """Estimators of the metrics that compare answers alone."""
        return sorted({e for m in self.sets.answering if (e := metric_class(m).estimator())})

    @property
    def embeddings(self) -> list[str]:
        """Every embedding that a metric of the run needs."""
        whole = [self.embedding(name, e) for e in self.estimators for name in self.sets.names]
        of_answers = [
            self.embedding(name, e, ANSWER) for e in self.of_answers for name in self.sets.with_answers
        ]
        return sorted({*whole, *of_answers})

    def settings(self, estimator: str) -> dict[str, Any]:
        return self.config["estimators"][estimator]

    def estimator_json(self, estimator: str) -> str:
        """The estimator's own fields: its name, and what the config overrides."""
        settings = self.settings(estimator)
        return one_line({"name": estimator, **{k: v for k, v in settings.items() if k not in _OF_BATCHES}})

    def fewer_rows(self, estimator: str) -> list[str]:
        """The option that lets a set with few rows have smaller batches, where the estimator asks for it."""
        return ["--fewer-rows"] if self.settings(estimator)["fewer_rows"] else []

    def embedding(self, set_name: str, estimator: str, part: str = WHOLE) -> str:
        folder = f"{self.root}/embeddings/{self.probe.names[0]}/{estimator}"
        return f"{folder}/{self.embedded(set_name, estimator, part)}.parquet"

    def times(self, set_name: str, estimator: str, part: str = WHOLE) -> str:
        """The file that says how long an embedding took."""
        folder = f"{self.root}/times/embed_batches/{self.probe.names[0]}/{estimator}"
        return f"{folder}/{self.embedded(set_name, estimator, part)}.json"

    def embedded(self, set_name: str, estimator: str, part: str) -> str:
        """The set that is embedded, with `.answer` where answers are scored alone; text without pairs is one."""
        measured = self.sets.standing_for(set_name, estimator)
        alone = part == ANSWER and self.sets.has_pairs(set_name, estimator)
        return f"{measured}.{ANSWER}" if alone else measured

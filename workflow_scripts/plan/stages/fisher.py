"""Fisher embeddings: which estimators, of which sets, from which batches."""

from functools import cached_property
from typing import Any

from workflow_scripts.metrics.registry import metric_class
from workflow_scripts.plan.stages.files import RunFiles, one_line
from workflow_scripts.plan.stages.measured import MeasuredSets
from workflow_scripts.plan.stages.probe import Probe

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

    def settings(self, estimator: str) -> dict[str, Any]:
        return self.config["estimators"][estimator]

    def estimator_json(self, estimator: str) -> str:
        """The estimator's own fields: its name, and what the config overrides."""
        settings = self.settings(estimator)
        return one_line({"name": estimator, **{k: v for k, v in settings.items() if k not in _OF_BATCHES}})

    def fewer_rows(self, estimator: str) -> list[str]:
        """The option that lets a set with few rows have smaller batches, where the estimator asks for it."""
        return ["--fewer-rows"] if self.settings(estimator)["fewer_rows"] else []

    def embedding(self, set_name: str, estimator: str, probe: str | None = None) -> str:
        """Embeddings of a set by a probe, the first unless another is named."""
        folder = f"{self.root}/embeddings/{probe or self.probe.first}/{estimator}"
        return f"{folder}/{self.sets.standing_for(set_name, estimator)}.parquet"

    def times(self, set_name: str, estimator: str, probe: str | None = None) -> str:
        """The file that says how long an embedding took."""
        folder = f"{self.root}/times/embed_batches/{probe or self.probe.first}/{estimator}"
        return f"{folder}/{self.sets.standing_for(set_name, estimator)}.json"

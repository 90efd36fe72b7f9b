"""Fisher embeddings: which estimators, of which sets, from which batches."""

from functools import cached_property
from typing import Any

from workflow_scripts.metrics.registry import metric_class
from workflow_scripts.plan.stages.files import RunFiles, one_line
from workflow_scripts.plan.stages.measured import MeasuredSets
from workflow_scripts.plan.stages.probe import Probe
from workflow_scripts.tokens.parts import ANSWER, WHOLE

# Config keys of an estimator that are not fields of `Estimator`.
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


# Folder of the embeddings for alignment as a function of rows.
CURVE = "curve/"


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
        """Estimators of the metrics that compare answers."""
        return sorted({e for m in self.sets.answering if (e := metric_class(m).estimator())})

    def embeddings(self, probe: str | None = None) -> list[str]:
        """Every embedding that a metric of the run needs, by the first probe unless another is named."""
        whole = [self.embedding(name, e, probe) for e in self.estimators for name in self.sets.names]
        of_answers = [
            self.embedding(name, e, probe, part=ANSWER)
            for e in self.of_answers
            for name in self.sets.with_answers
        ]
        return sorted({*whole, *of_answers})

    def settings(self, estimator: str) -> dict[str, Any]:
        return self.config["estimators"][estimator]

    def estimator_json(self, estimator: str) -> str:
        """The estimator's own fields: its name, and what the config overrides."""
        settings = self.settings(estimator)
        return one_line({"name": estimator, **{k: v for k, v in settings.items() if k not in _OF_BATCHES}})

    def fewer_rows(self, estimator: str, curve: str = "") -> list[str]:
        """The option for a set with few rows: smaller batches if the estimator asks for it, fewer batches for a curve.

        Batches of a curve keep the usual size, so batches that are already in the store are reused.
        """
        if curve:
            return ["--fewer-batches"]
        return ["--fewer-rows"] if self.settings(estimator)["fewer_rows"] else []

    def batches(self, estimator: str, curve: str) -> int:
        """Batches of a set; for a curve as many as its largest number of rows needs."""
        settings = self.settings(estimator)
        if curve:
            return max(self.config["alignment"]["rows_curve"]) // settings["rows"]
        return settings["batches"]

    @property
    def curve_folder(self) -> str:
        """Pattern of the folder that holds the embeddings of a curve; no folder for all others."""
        return f"(?:{CURVE}|)" if self.config["alignment"]["rows_curve"] else "(?:)"

    def embedding(
        self,
        set_name: str,
        estimator: str,
        probe: str | None = None,
        *,
        curve: str = "",
        part: str = WHOLE,
    ) -> str:
        """Embeddings of a set by a probe, the first unless another is named."""
        folder = f"{self.root}/embeddings/{probe or self.probe.first}/{estimator}/{curve}".removesuffix("/")
        return f"{folder}/{self.embedded(set_name, estimator, part)}.parquet"

    def times(
        self,
        set_name: str,
        estimator: str,
        probe: str | None = None,
        *,
        curve: str = "",
        part: str = WHOLE,
    ) -> str:
        """The file that says how long an embedding took."""
        folder = f"{self.root}/times/embed_batches/{probe or self.probe.first}/{estimator}/{curve}"
        return f"{folder.removesuffix('/')}/{self.embedded(set_name, estimator, part)}.json"

    def embedded(self, set_name: str, estimator: str, part: str) -> str:
        """The set that is embedded, with `.answer` if only answers are scored; text without pairs is all answer."""
        measured = self.sets.standing_for(set_name, estimator)
        only_answers = part == ANSWER and self.sets.has_pairs(set_name, estimator)
        return f"{measured}.{ANSWER}" if only_answers else measured

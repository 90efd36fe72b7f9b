"""Fisher embeddings: which estimators, of which sets, from which batches."""

from functools import cached_property
from typing import Any

from workflow_scripts.metrics.registry import metric_class
from workflow_scripts.plan.stages.files import RunFiles, SetName, one_line
from workflow_scripts.plan.stages.measured import MeasuredSets
from workflow_scripts.plan.stages.probe import Probe
from workflow_scripts.tokens.parts import ANSWER

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
        self._job_of: dict[tuple[str, str], dict[str, str]] = {}

    @cached_property
    def estimators(self) -> list[str]:
        """Fisher estimators whose embeddings a metric of the run compares."""
        return sorted({e for m in self.config["alignment"]["metrics"] if (e := metric_class(m).estimator())})

    @cached_property
    def of_answers(self) -> list[str]:
        """Estimators of the metrics that compare answers."""
        return sorted({e for m in self.sets.answering if (e := metric_class(m).estimator())})

    def embeddings(self, probe: str | None = None) -> list[str]:
        """Every folder of embeddings that a metric of the run needs, by the first probe unless another is named."""
        return sorted({self.folder(name, e, probe) for e in self.estimators for name in self.sets.names})

    def jobs(self, estimator: str, curve: str = "") -> dict[str, list[str]]:
        """The sets that each job embeds one after another: groups by position, in the order of the corpora."""
        size, every = self.config["sets_per_job"], self._embedded(estimator, curve)
        return {f"sets-{i // size}": every[i : i + size] for i in range(0, len(every), size)}

    def answers(self, estimator: str, job: str, curve: str = "") -> list[str]:
        """`--answers <set>` for those sets of a job whose answers are also embedded alone."""
        if curve or estimator not in self.of_answers:
            return []
        alone = {self.embedded(name, estimator, ANSWER) for name in self.sets.with_answers}
        return [
            word
            for name in self.jobs(estimator)[job]
            if f"{name}.{ANSWER}" in alone
            for word in ("--answers", name)
        ]

    def _embedded(self, estimator: str, curve: str) -> list[str]:
        names = [name for side in self.sets.of_curve for name in side] if curve else self.sets.names
        order = {corpus: number for number, corpus in enumerate(self.config["corpora"])}
        return sorted(
            {self.sets.standing_for(name, estimator) for name in names},
            key=lambda name: (order[SetName.of(name).corpus], name),
        )

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

    def folder(
        self,
        set_name: str,
        estimator: str,
        probe: str | None = None,
        *,
        curve: str = "",
        of: str = "embeddings",
    ) -> str:
        """The folder with a set's embeddings by a probe, the first unless another is named; or with their seconds."""
        if (estimator, curve) not in self._job_of:
            jobs = self.jobs(estimator, curve).items()
            self._job_of[estimator, curve] = {name: job for job, sets in jobs for name in sets}
        job = self._job_of[estimator, curve][self.sets.standing_for(set_name, estimator)]
        return f"{self.root}/{of}/{probe or self.probe.first}/{estimator}/{curve}{job}"

    def times_folder(
        self, set_name: str, estimator: str, probe: str | None = None, *, curve: str = ""
    ) -> str:
        """The folder that says how long its embeddings took."""
        return self.folder(set_name, estimator, probe, curve=curve, of="times/embed_batches")

    def embedded(self, set_name: str, estimator: str, part: str) -> str:
        """The set that is embedded, with `.answer` if only answers are scored; text without pairs is all answer."""
        measured = self.sets.standing_for(set_name, estimator)
        only_answers = part == ANSWER and self.sets.has_pairs(set_name, estimator)
        return f"{measured}.{ANSWER}" if only_answers else measured

"""What each metric reads, and how it is told to read it."""

from collections.abc import Iterable
from typing import Any

from workflow_scripts.metrics.registry import metric_class
from workflow_scripts.plan.experiments import trained
from workflow_scripts.plan.stages.files import RunFiles
from workflow_scripts.plan.stages.fisher import Fisher
from workflow_scripts.plan.stages.measured import MeasuredSets
from workflow_scripts.plan.stages.tokens import Tokens


class Alignment:
    def __init__(
        self, config: dict[str, Any], files: RunFiles, tokens: Tokens, fisher: Fisher, sets: MeasuredSets
    ):
        self.config = config
        self.files = files
        self.tokens = tokens
        self.fisher = fisher
        self.sets = sets

    @property
    def metrics(self) -> list[str]:
        return self.config["alignment"]["metrics"]

    @property
    def baselines(self) -> list[str]:
        """Cheap metrics that every other one is correlated given: does it add anything to them?"""
        return [metric for metric in self.metrics if metric in ("unigram_js",)]

    @property
    def cheap(self) -> list[str]:
        """Metrics that need no model and that every other one is put beside: do the two predict better together?"""
        ngrams = [metric for metric in self.metrics if metric in ("ngram_cross_entropy", "ngram_whole")]
        return ngrams or self.baselines

    def batches(self, metric: str) -> int:
        """Batches that a metric compares."""
        return self._settings(metric)["batches"]

    def rows(self, metric: str) -> int:
        """Rows of a batch that a metric compares."""
        return self._settings(metric)["rows"]

    def fewer_rows(self, metric: str) -> list[str]:
        estimator = metric_class(metric).estimator()
        if estimator is not None:
            return self.fisher.fewer_rows(estimator)
        return ["--fewer-rows"] if self.config["alignment"]["fewer_rows"] else []

    def encoder(self, metric: str) -> list[str]:
        """Options that name the sentence encoder, for a metric that needs one."""
        needs_one = "encoder" in metric_class(metric).needs
        return ["--encoder", self.config["alignment"]["encoder"]] if needs_one else []

    def probe(self, metric: str) -> list[str]:
        """The probe's weights, for a metric that reads with it."""
        return [self.fisher.probe.weights] if "probe" in metric_class(metric).needs else []

    def model(self, metric: str) -> list[str]:
        """Options that name the probe, for a metric that reads with it."""
        return ["--model", self.fisher.probe.folder] if self.probe(metric) else []

    @property
    def covariates(self) -> list[str]:
        """The table of covariates; none where nothing is trained: mixtures that others trained on have no rows."""
        return [f"{self.files.root}/alignment/covariates.parquet"] if trained(self.config) else []

    def rows_of(self, set_name: str) -> str:
        """Rows that metrics and covariates read of a set."""
        return self.tokens.of_set(self.sets.standing_for(set_name))

    def inputs(self, metric: str, sets: Iterable[str]) -> list[str]:
        """What a metric reads of some sets, in their order: embeddings, or rows."""
        estimator = metric_class(metric).estimator()
        if estimator is None:
            return [self.rows_of(name) for name in sets]
        return [self.fisher.embedding(name, estimator) for name in sets]

    def times(self, metric: str) -> list[str]:
        """Files that say how long each embedding took; none for a metric that computes its own features."""
        estimator = metric_class(metric).estimator()
        return [] if estimator is None else [self.fisher.times(name, estimator) for name in self.sets.names]

    def before_mixtures(self, metric: str) -> list[str]:
        """The alignment of the parts, where that of mixtures is the mean of it: its pairs are then in the store."""
        is_mean = metric_class(metric).mixes == "mean"
        return [f"{self.files.root}/alignment/{metric}.parquet"] if is_mean else []

    def tables(self, suffix: str) -> list[str]:
        """A table a metric."""
        return self.files.present(
            f"{self.files.root}/alignment/{metric}{suffix}.parquet" for metric in self.metrics
        )

    def _settings(self, metric: str) -> dict[str, Any]:
        estimator = metric_class(metric).estimator()
        return self.config["alignment"] if estimator is None else self.fisher.settings(estimator)

"""What each metric reads, and how."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from workflow_scripts.metrics.pairs import MOST_SETS
from workflow_scripts.metrics.registry import metric_class
from workflow_scripts.plan.experiments import recorded, trained
from workflow_scripts.plan.shell_options import options
from workflow_scripts.plan.stages.files import RunFiles
from workflow_scripts.plan.stages.fisher import CURVE, Fisher
from workflow_scripts.plan.stages.measured import MeasuredSets
from workflow_scripts.plan.stages.tokens import Tokens
from workflow_scripts.tokens.parts import ANSWER, WHOLE


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
        """Cheap metrics that partial correlations control for: does another metric add anything to them?"""
        return [metric for metric in self.metrics if metric in ("unigram_js",)]

    @property
    def cheap(self) -> list[str]:
        """Metrics without a model that are paired with every other one: do the two predict better together?"""
        ngrams = [metric for metric in self.metrics if metric in ("ngram_cross_entropy", "ngram_whole")]
        return ngrams or self.baselines

    def batches(self, metric: str) -> int:
        """Batches that a metric compares."""
        return self._settings(metric)["batches"]

    def rows(self, metric: str) -> int:
        """Rows of a batch that a metric compares."""
        return self._settings(metric)["rows"]

    @staticmethod
    def runs_model(metric: str) -> bool:
        """Whether the jobs of a metric run a model, and so use a GPU if there is one."""
        return metric_class(metric).runs_model()

    def fewer_rows(self, metric: str) -> list[str]:
        estimator = metric_class(metric).estimator()
        if estimator is not None:
            return self.fisher.fewer_rows(estimator)
        return ["--fewer-rows"] if self.config["alignment"]["fewer_rows"] else []

    def encoder(self, metric: str) -> list[str]:
        """Options that name the sentence encoder, for a metric that needs one."""
        needs_one = "encoder" in metric_class(metric).needs
        return ["--encoder", self.config["alignment"]["encoder"]] if needs_one else []

    @property
    def with_probe(self) -> list[str]:
        """Metrics whose values depend on the probe: they compare its embeddings or read with it."""
        return [
            metric
            for metric in self.metrics
            if metric_class(metric).estimator() or "probe" in metric_class(metric).needs
        ]

    @property
    def other_probes(self) -> list[str]:
        """Further probes, with which some metrics are measured again."""
        return self.fisher.probe.names[1:] if self.with_probe else []

    @cached_property
    def blocks(self) -> dict[str, list[str]]:
        """The sources of each job of a metric, by the folder of its table; empty if one job compares all sets.

        They are groups by position, in the order of the corpora, so a set at the end changes only the last block. A
        block that changes finds all pairs but the new ones in the store.
        """
        every, size = self.sets.in_order, MOST_SETS
        if len(every) <= size:
            return {}
        return {f"blocks/{i // size}/": every[i : i + size] for i in range(0, len(every), size)}

    @property
    def block_folder(self) -> str:
        """Pattern of the folder below alignment/ with the table of a block; no folder if there are no blocks."""
        return f"(?:{'|'.join(self.blocks)})"

    def compared(self, metric: str, block: str) -> list[str]:
        """The sets that a job of a metric reads: its sources, every target and the floor; all if there are no blocks.

        A job that adapts the rows of batches to the smallest set has to see all sets.
        """
        if not self.blocks or (self.fewer_rows(metric) and metric_class(metric).estimator() is None):
            return self.sets.names
        targets = [name for name in self.sets.names if name.endswith(".eval")]
        return sorted({*self.blocks[block], *targets, self.sets.floor})

    def sources(self, block: str) -> list[str]:
        """The option that names the sources of a block; none if one job compares all sets."""
        return ["--sources", *sorted(self.blocks[block])] if block else []

    def of_blocks(self, metric: str, folder: str, suffix: str = "") -> list[str]:
        """The tables of all blocks of a metric."""
        return [
            f"{self.files.root}/alignment/{folder}{block}{metric}{suffix}.parquet" for block in self.blocks
        ]

    @property
    def joined(self) -> list[str]:
        """Metrics whose table is joined from those of blocks."""
        return self.metrics if self.blocks else []

    @property
    def probe_folder(self) -> str:
        """Pattern of the folder below alignment/ with the results of a probe; the first probe has no folder."""
        return f"(?:{'|'.join(['', *map(self._probe_folder, self.other_probes)])})"

    def probe_of(self, folder: str) -> str:
        """The probe of such a folder."""
        return {self._probe_folder(name): name for name in self.other_probes}.get(
            folder, self.fisher.probe.first
        )

    def _probe_folder(self, probe: str) -> str:
        return f"probes/{probe}/"

    @property
    def by_other_probes(self) -> list[tuple[str, str]]:
        """(probe, table) of every metric that is measured with another probe."""
        return self._tables_of_other_probes("")

    @property
    def mixtures_by_other_probes(self) -> list[tuple[str, str]]:
        """The same for recorded mixtures."""
        return self._tables_of_other_probes("mixtures/") if recorded(self.config) else []

    def _tables_of_other_probes(self, folder: str) -> list[tuple[str, str]]:
        found = [
            (probe, f"{self.files.root}/alignment/{self._probe_folder(probe)}{folder}{metric}.parquet")
            for probe in self.other_probes
            for metric in self.with_probe
        ]
        there = set(self.files.present(path for _, path in found))
        return [(probe, path) for probe, path in found if path in there]

    @property
    def probe_tables(self) -> dict[str, str]:
        """The table of differences between probes, by name; none if there is only one probe."""
        path = f"{self.files.root}/analysis/probe_spread.parquet"
        return {"probe_spread": path} if self.by_other_probes else {}

    def probe(self, metric: str, probe: str | None = None) -> list[str]:
        """A probe's weights, for a metric that reads with it; the first probe's unless another is named."""
        reads = "probe" in metric_class(metric).needs
        return [self.fisher.probe.weights_of(probe or self.fisher.probe.first)] if reads else []

    def model(self, metric: str, probe: str | None = None) -> list[str]:
        """Options that name a probe, for a metric that reads with it."""
        return [word for path in self.probe(metric, probe) for word in ("--model", str(Path(path).parent))]

    def curve_inputs(self, metric: str, sets: Iterable[str]) -> list[str]:
        """What a metric's curve reads for each set: rows, or folders of as many embedded batches as the curve needs."""
        return self.inputs(metric, sets, curve=CURVE)

    def curve_times(self, metric: str) -> list[str]:
        """Folders that say how long the batches of each of its sets took."""
        return self.times(metric, [name for side in self.sets.of_curve for name in side], curve=CURVE)

    def curves(self, suffix: str = "") -> list[str]:
        """Tables of alignment by rows, one per metric; none unless the config asks for them."""
        asked = bool(self.config["alignment"]["rows_curve"]) and bool(trained(self.config))
        found = [f"{self.files.root}/alignment/rows/{metric}{suffix}.parquet" for metric in self.metrics]
        return self.files.present(found) if asked else []

    @property
    def curve_tables(self) -> dict[str, str]:
        """Tables of skill by rows by name."""
        names = ("rows_curve", "rows_curve_cost") if self.curves() else ()
        return {name: f"{self.files.root}/analysis/{name}.parquet" for name in names}

    @property
    def covariates(self) -> list[str]:
        """The table of covariates; none if nothing is trained, because recorded mixtures have no rows."""
        return [f"{self.files.root}/alignment/covariates.parquet"] if trained(self.config) else []

    def rows_of(self, set_name: str) -> str:
        """A set's rows, as metrics and covariates read them."""
        return self.tokens.of_set(self.sets.standing_for(set_name))

    def inputs(
        self, metric: str, sets: Iterable[str], probe: str | None = None, *, curve: str = ""
    ) -> list[str]:
        """What a metric reads for each set, in their order: rows, or the folder of its embeddings by a probe."""
        estimator = metric_class(metric).estimator()
        if estimator is None:
            return [self.rows_of(name) for name in sets]
        return [self.fisher.folder(name, estimator, probe, curve=curve) for name in sets]

    def times(
        self, metric: str, sets: Iterable[str], probe: str | None = None, *, curve: str = ""
    ) -> list[str]:
        """The folder with the seconds of each set's embedding; none for a metric that computes its own features."""
        estimator = metric_class(metric).estimator()
        if estimator is None:
            return []
        return [self.fisher.times_folder(name, estimator, probe, curve=curve) for name in sets]

    def files_of(
        self,
        metric: str,
        sets: Iterable[str],
        inputs: Iterable[str],
        part: str = WHOLE,
        suffix: str = ".parquet",
    ) -> list[str]:
        """The file of each set in its input: rows are that input, embeddings are in the folder of their job."""
        estimator = metric_class(metric).estimator()
        if estimator is None:
            return list(inputs)
        return [
            f"{folder}/{self.fisher.embedded(name, estimator, part)}{suffix}"
            for name, folder in zip(sets, inputs, strict=True)
        ]

    def named(self, option: str, metric: str, sets: Iterable[str], inputs: Iterable[str]) -> list[str]:
        """`option set=file` for each set."""
        sets = list(sets)
        return options(option, sets, self.files_of(metric, sets, inputs))

    def timed(self, metric: str, sets: Iterable[str], inputs: Iterable[str]) -> list[str]:
        """`--times set=file` for each set; none for a metric that computes its own features."""
        sets = list(sets) if metric_class(metric).estimator() else []
        return options("--times", sets, self.files_of(metric, sets, inputs, suffix=".json"))

    def answers(self, metric: str, probe: str, block: str = "") -> list[str]:
        """`--answers set=file` for each set whose answers a job compares, and the seconds of their embeddings."""
        compared = set(self.compared(metric, block))
        sets = [name for name in self.answering(metric) if name in compared]
        files = self.files_of(metric, sets, self.inputs(metric, sets, probe), ANSWER)
        found = options("--answers", sets, files)
        if metric_class(metric).estimator() is None:
            return found
        seconds = self.files_of(metric, sets, self.times(metric, sets, probe), ANSWER, ".json")
        return [*found, *options("--answer-times", sets, seconds)]

    def answering(self, metric: str) -> list[str]:
        """Sets whose answers a metric compares as well."""
        return self.sets.with_answers if metric in self.sets.answering else []

    def before_mixtures(self, metric: str, folder: str = "") -> list[str]:
        """The parts' alignment, if a mixture's is their mean: computing it first puts the pairs into the store."""
        is_mean = metric_class(metric).mixes == "mean"
        return [f"{self.files.root}/alignment/{folder}{metric}.parquet"] if is_mean else []

    def tables(self, suffix: str) -> list[str]:
        """One table per metric."""
        return self.files.present(
            f"{self.files.root}/alignment/{metric}{suffix}.parquet" for metric in self.metrics
        )

    def _settings(self, metric: str) -> dict[str, Any]:
        estimator = metric_class(metric).estimator()
        return self.config["alignment"] if estimator is None else self.fisher.settings(estimator)

"""Which files a config asks for, stage by stage, and what each is made from."""

from typing import Any

from workflow_scripts.plan.corpus_graph import CorpusGraph
from workflow_scripts.plan.stages.alignment import Alignment
from workflow_scripts.plan.stages.analysis import Analysis
from workflow_scripts.plan.stages.choosing import Choosing
from workflow_scripts.plan.stages.files import RunFiles, one_line
from workflow_scripts.plan.stages.fisher import Fisher
from workflow_scripts.plan.stages.measured import MeasuredSets
from workflow_scripts.plan.stages.outside import Outside
from workflow_scripts.plan.stages.probe import Probe
from workflow_scripts.plan.stages.tokens import Tokens
from workflow_scripts.plan.stages.training import Training

# Keys that depend on the machine and do not change what a run computes.
_OF_THE_MACHINE = (
    "results",
    "pathvars",
    "only_existing",
    "resources",
    "directories",
    "container",
    "gpu_hour_price",
)


class RunPlan:
    """The stages of one run, each under the name of its rule file.

    Every path begins with `root`. Only the config is read, and, under `only_existing`, whether a file exists.
    """

    def __init__(self, config: dict[str, Any]):
        self.config = config
        self.root = config["pathvars"].get("results", f"{config['results']}/{config['run']}")
        self.files = RunFiles(self.root, config["only_existing"])
        self.corpora = CorpusGraph(config)
        self.tokens = Tokens(config, self.files)
        self.probe = Probe(config, self.files)
        self.sets = MeasuredSets(config, self.corpora)
        self.fisher = Fisher(config, self.files, self.probe, self.sets)
        self.alignment = Alignment(config, self.files, self.tokens, self.fisher, self.sets)
        self.training = Training(config, self.files, self.corpora, self.probe)
        self.outside = Outside(config, self.files)
        self.analysis = Analysis(config, self.files, self.corpora, self.tokens)
        self.choosing = Choosing(config, self.files, self.corpora, self.tokens)

    @property
    def uses_probe(self) -> bool:
        """Whether anything uses the probe; if not, a run of recorded losses does not train one."""
        by_metric = self.fisher.estimators or any(map(self.alignment.probe, self.alignment.metrics))
        return bool(
            by_metric or self.alignment.covariates or self.config["switches"] or self.choosing.uses_probe
        )

    @property
    def probes_used(self) -> list[str]:
        """The first probe and, where a metric depends on them, the others."""
        return [self.probe.first, *self.alignment.other_probes] if self.uses_probe else []

    @property
    def report_tables(self) -> dict[str, str]:
        """Tables of the page by name."""
        return {
            **self.analysis.tables,
            **self.analysis.switch_tables,
            **self.alignment.probe_tables,
            **self.alignment.curve_tables,
            **self.outside.tables,
            "alignment": f"{self.root}/alignment/alignment.parquet",
            "loss_summary": f"{self.root}/losses/loss_summary.parquet",
            **({"ngram_summary": self.training.ngram_summary[0]} if self.training.ngram_summary else {}),
        }

    @property
    def page(self) -> str:
        return f"{self.root}/report/index.html"

    @property
    def config_json(self) -> str:
        """The config as the page shows it."""
        return one_line({key: value for key, value in self.config.items() if key not in _OF_THE_MACHINE})

"""Experiments whose losses were measured elsewhere: their tables of losses and of mixtures."""

from functools import cached_property
from typing import Any

from workflow_scripts.errors import UserError
from workflow_scripts.plan.experiments import recorded
from workflow_scripts.plan.sources import recorded_tables
from workflow_scripts.plan.stages.files import RunFiles


class Outside:
    def __init__(self, config: dict[str, Any], files: RunFiles):
        self.config = config
        self.files = files

    @cached_property
    def experiments(self) -> dict[str, dict[str, Any]]:
        """Experiments whose losses come from a table, by name."""
        return {experiment["name"]: experiment for experiment in recorded(self.config)}

    def user_tables(self, experiment: str) -> dict[str, Any]:
        """The user's tables of losses and mixtures; under `only_existing`, none if they were deleted."""
        try:
            return recorded_tables(self.experiments[experiment])
        except UserError:
            if not self.config["only_existing"]:
                raise
            return {"losses": [], "mixtures": []}

    def files_read(self, experiment: str) -> list[str]:
        """The user's tables that are there."""
        return [path for path in self.user_tables(experiment).values() if path]

    def model(self, experiment: str) -> list[str]:
        """The option that names the model whose losses are read, where the config does."""
        model = self.experiments[experiment]["model"]
        return ["--model", model] if model is not None else []

    @property
    def losses(self) -> list[str]:
        """Checked losses of the recorded experiments, in their order."""
        return self.files.present(
            f"{self.files.root}/outside/{name}.losses.parquet" for name in self.experiments
        )

    @property
    def shares(self) -> list[str]:
        """Checked mixtures of the recorded experiments, in their order."""
        return self.files.present(
            f"{self.files.root}/outside/{name}.shares.parquet" for name in self.experiments
        )

    @property
    def tables(self) -> dict[str, str]:
        """Tables about recorded experiments by name; none without such an experiment.

        If the losses themselves are missing, as in a run restored from its record, only the existing tables:
        a record may be older than a table.
        """
        names = (
            "effective_tokens",
            "effective_token_differences",
            "effective_token_points",
            "predicted_losses",
            "token_worth",
            "token_laws",
        )
        if not self.experiments:
            return {}
        paths = {name: f"{self.files.root}/analysis/{name}.parquet" for name in names}
        there = paths.values() if self.losses else self.files.present(paths.values())
        return {name: path for name, path in paths.items() if path in there}

    @property
    def parts(self) -> dict[str, str]:
        """Train sides of the parts of recorded mixtures, by corpus."""
        names = {part for one in self.experiments.values() for part in one["parts"]}
        return {name: f"{name}.train" for name in sorted(names)}

    @property
    def targets(self) -> dict[str, str]:
        """Eval sides on which recorded losses were measured, by corpus."""
        names = {target for one in self.experiments.values() for target in one["eval_sets"]}
        return {name: f"{name}.eval" for name in sorted(names)}

    @property
    def alignments(self) -> list[str]:
        """Alignments of the mixtures of recorded experiments, one table a metric."""
        metrics = self.config["alignment"]["metrics"] if self.experiments else []
        return self.files.present(
            f"{self.files.root}/alignment/mixtures/{metric}.parquet" for metric in metrics
        )

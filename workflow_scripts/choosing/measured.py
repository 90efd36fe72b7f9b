"""Measurements of the candidates for one target: alignments, sizes, surveys of their files."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from workflow_scripts.choosing.worth import standard_error


@dataclass(frozen=True)
class Measured:
    """`metrics` in the order of the config; the first one decides. `surveys` by candidate, if there are any."""

    target: str
    candidates: tuple[str, ...]
    metrics: tuple[str, ...]
    alignment: pd.DataFrame
    sizes: Mapping[str, Mapping[str, Any]]
    surveys: Mapping[str, Mapping[str, Any]]

    def called(self, labels: Mapping[str, str]) -> "Measured":
        """The same with the names of corpora that the answer uses."""

        def renamed(name: str) -> str:
            return labels.get(name, name)

        def set_renamed(name: str) -> str:
            corpus, _, side = name.rpartition(".")
            return f"{renamed(corpus)}.{side}"

        return Measured(
            renamed(self.target),
            tuple(map(renamed, self.candidates)),
            self.metrics,
            self.alignment.assign(
                source=self.alignment["source"].map(set_renamed),
                target=self.alignment["target"].map(set_renamed),
            ),
            {set_renamed(name): size for name, size in self.sizes.items()},
            {renamed(name): survey for name, survey in self.surveys.items()},
        )

    @cached_property
    def _by_metric(self) -> dict[str, pd.DataFrame]:
        """Rows of the table that compare a candidate with the target, indexed by candidate."""
        rows = self.alignment[self.alignment["target"] == f"{self.target}.eval"]
        sources = {f"{name}.train": name for name in self.candidates}
        rows = rows[rows["source"].isin(sources)]
        rows = rows.assign(
            candidate=rows["source"].map(sources), error=standard_error(rows["ci_low"], rows["ci_high"])
        )
        return {
            metric: rows[rows["metric"] == metric].set_index("candidate").reindex(list(self.candidates))
            for metric in self.metrics
        }

    def of(self, metric: str) -> pd.DataFrame:
        """Alignment with the target, interval and standard error, one row per candidate."""
        return self._by_metric[metric]

    def alignments(self, metric: str) -> dict[str, tuple[float, float]]:
        """Candidate -> (alignment, standard error)."""
        rows = self.of(metric)
        return {name: (float(row["alignment"]), float(row["error"])) for name, row in rows.iterrows()}

    @property
    def tokens(self) -> dict[str, float]:
        return {name: float(self.sizes[f"{name}.train"]["tokens"]) for name in self.candidates}

"""How far a result depends on the probe: correlations and choices with the alignments of every probe."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from workflow_scripts.statistics.association import NAN, associate
from workflow_scripts.statistics.choice import SCORES, Costs, choices
from workflow_scripts.statistics.experiments import Experiment, Panel, panels
from workflow_scripts.statistics.our_runs import scopes

SPREAD_TYPES = {
    "experiment": "str",
    "part": "str",
    "tokens": "int64",
    "metric": "str",
    "probe": "str",
    "scope": "str",
    "statistic": "str",
    **dict.fromkeys(("value", "ci_low", "ci_high"), "float64"),
}
STATISTICS = {"pearson_r": False, "spearman": True}


def probe_spread(
    alignments: Mapping[str, pd.DataFrame], losses: pd.DataFrame, experiments: Sequence[Experiment]
) -> pd.DataFrame:
    """Skill by every probe; `alignments` holds a table of the same metrics for each, the first probe first."""
    rows = [
        {"probe": probe, **row}
        for probe, alignment in alignments.items()
        for panel in panels(alignment, losses, experiments)
        for row in skill(panel)
    ]
    return pd.DataFrame(rows, columns=list(SPREAD_TYPES)).astype(SPREAD_TYPES)


def skill(panel: Panel) -> Iterator[dict[str, Any]]:
    """Correlations of each metric by scope, and what its choice comes to by candidates, with intervals.

    They are those of the tables `correlation` and `choice`. Statistics of a choice have the candidates as scope.
    """
    for metric, alignment in panel.alignments.items():
        for scope in scopes(panel):
            for statistic, rank in STATISTICS.items():
                found = associate(
                    alignment,
                    panel.loss,
                    scope,
                    permutations=None,
                    seed=0,
                    rank=rank,
                    families=panel.family_numbers,
                )
                yield {
                    **panel.key,
                    "metric": metric,
                    "scope": scope.name,
                    "statistic": statistic,
                    "value": found.value,
                    "ci_low": found.ci_low,
                    "ci_high": found.ci_high,
                }
    for row in choices(panel, Costs({}, lambda panel, train_set: NAN)):
        if row["eval_set"] is None and row["metric"] in panel.alignments:
            for statistic in ("top1", *SCORES):
                yield {
                    **panel.key,
                    "metric": row["metric"],
                    "scope": row["candidates"],
                    "statistic": statistic,
                    "value": row[statistic],
                    "ci_low": row[f"{statistic}_low"],
                    "ci_high": row[f"{statistic}_high"],
                }

"""Skill of a measure's alignments in one panel: correlation with loss, and choice of training data."""

from collections.abc import Iterator
from typing import Any

from workflow_scripts.statistics.association import NAN, associate
from workflow_scripts.statistics.choice import SCORES, Costs, choices
from workflow_scripts.statistics.experiments import Panel
from workflow_scripts.statistics.run_correlations import scopes

STATISTICS = {"pearson_r": False, "spearman": True}


def skill(panel: Panel) -> Iterator[dict[str, Any]]:
    """Correlations of each metric by scope, and results of its choices by candidates, with intervals.

    The values are those of the tables `correlation` and `choice`. Statistics of a choice have the candidates as scope.
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

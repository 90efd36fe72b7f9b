"""How much results depend on the probe: correlations and choices with the alignments of every probe."""

from collections.abc import Mapping, Sequence

import pandas as pd

from workflow_scripts.statistics.experiments import Experiment, panels
from workflow_scripts.statistics.skill import skill

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


def probe_spread(
    alignments: Mapping[str, pd.DataFrame], losses: pd.DataFrame, experiments: Sequence[Experiment]
) -> pd.DataFrame:
    """Skill with every probe; `alignments` has a table of the same metrics for each probe, the first probe first."""
    rows = [
        {"probe": probe, **row}
        for probe, alignment in alignments.items()
        for panel in panels(alignment, losses, experiments)
        for row in skill(panel)
    ]
    return pd.DataFrame(rows, columns=list(SPREAD_TYPES)).astype(SPREAD_TYPES)

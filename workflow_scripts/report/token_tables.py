"""Which rows of the tables of recorded experiments are shown: one measure, one kernel, experiments in their order."""

from dataclasses import dataclass

import pandas as pd

from workflow_scripts.report.figure import Tables
from workflow_scripts.report.wording import plain
from workflow_scripts.statistics.mixture_ranking import ALL, MEAN

OWN_SHARE, TEXT, LAW = "own_share", "effective_tokens", "law"
SUMMARY_NAMES = {MEAN: "each target, mean", ALL: "all targets at once"}


@dataclass(frozen=True)
class Measure:
    """The measure whose gaps determine the worth of tokens, and the kernel that converts them."""

    metric: str
    kernel: str

    @property
    def name(self) -> str:
        return plain(self.metric)

    def of(self, ranking: pd.DataFrame, predictor: str) -> pd.DataFrame:
        """Its rows in a table of rankings or differences."""
        return ranking[
            (ranking["predictor"] == predictor)
            & (ranking["metric"] == self.metric)
            & (ranking["kernel"] == self.kernel)
        ]


def best_measure(tables: Tables) -> Measure:
    """The measure that ranks best from text only in the experiment on which tau was chosen, with the law's kernel."""
    worth, ranking = tables["token_worth"], tables["effective_tokens"]
    kernel = str(worth.loc[worth["source"] == LAW, "kernel"].iloc[0])
    rows = overall(ranking)
    rows = rows[
        (rows["experiment"] == worth["experiment"].iloc[0])
        & (rows["predictor"] == TEXT)
        & (rows["kernel"] == kernel)
        & (rows["eval_set"] == MEAN)
    ]
    return Measure(str(rows.loc[rows["spearman"].idxmax(), "metric"]), kernel)


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Rows over all mixtures and targets: the mean over targets, and all at once."""
    return table[(table["scope"] == "all") & table["eval_set"].isin(SUMMARY_NAMES)]


def experiment_names(table: pd.DataFrame) -> list[str]:
    """In the order of the config."""
    return [str(name) for name in table["experiment"].unique()]


def chosen_on_itself(tables: Tables, experiment: str) -> bool:
    """Whether tau was chosen on the losses of the experiment itself."""
    return experiment in set(tables["token_worth"]["experiment"])


def ahead_of_own_share(tables: Tables, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the ranking with `ahead`, `ahead_low`, `ahead_high`: the paired difference to the target's own share."""
    differences = tables["effective_token_differences"]
    against = differences[differences["other_metric"] == OWN_SHARE]
    key = ["experiment", "model", "metric", "predictor", "kernel", "proxies", "scope", "eval_set"]
    named = against.rename(columns={"difference": "ahead", "ci_low": "ahead_low", "ci_high": "ahead_high"})
    return rows.merge(named[[*key, "ahead", "ahead_low", "ahead_high"]], on=key, how="left")

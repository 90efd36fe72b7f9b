"""Which rows of the tables the page shows first: the largest budget, the measure of the paper, whole documents."""

import numpy as np
import pandas as pd

from workflow_scripts.report.figure import Tables
from workflow_scripts.report.wording import plain
from workflow_scripts.statistics.choice import BASELINES
from workflow_scripts.tokens.parts import WHOLE

PAPER_METRICS = ("task2vec", "task2vec_published", "task2vec_body")
# A reader can look through this many names in a legend or axis; recorded experiments may have hundreds.
MOST_TRAIN_SETS = 60
PROBE_RANGE = ("probes_low", "probes_high")
PART_NAMES = {"whole": "whole documents", "answer": "answers only"}
SCOPE_NAMES = {
    "pooled": "pooled over everything",
    "within_eval": "within evaluation sets",
    "double_centred": "both main effects removed",
    "out_of_domain_pooled": "out of domain, pooled",
    "out_of_domain_within": "out of domain, within evaluation sets",
    "without_in_domain": "without the target's own training side",
    "with_controls_pooled": "with controls, pooled",
    "with_controls_within": "with controls, within evaluation sets",
    "with_controls_double_centred": "with controls, both main effects removed",
}

PUBLISHED_NAMES = {
    "pretraining_new": "pre-training, newer figure",
    "pretraining_old": "pre-training, older figure",
    "finetuning_af": "fine-tuning, AF",
    "finetuning_docstring": "fine-tuning, docstrings",
    "gzip_gpt2_20k": "gzip, GPT-2, 20k tokens",
    "gzip_gpt2_4k": "gzip, GPT-2, 4k tokens",
    "gzip_llama3_8b_4k": "gzip, LLaMA-3-8B, 4k tokens",
    "gzip_unlabelled": "gzip, unlabelled model",
}


def is_fisher(metric: str) -> bool:
    """Whether a measure compares Fisher embeddings."""
    return metric.startswith("task2vec")


def paper_metric(metrics: list[str]) -> str:
    """The measure of the paper, or the first in the alphabet if it was not computed."""
    return next((name for name in PAPER_METRICS if name in metrics), min(metrics))


def largest_budget(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of every experiment at its largest budget."""
    return frame[frame["tokens"] == frame.groupby(["experiment", "part"])["tokens"].transform("max")]


def correlation_rows(
    correlation: pd.DataFrame, experiment: str, part: str, scope: str, statistic: str = "pearson_r"
) -> pd.DataFrame:
    """One row per metric at the largest budget."""
    chosen = largest_budget(correlation)
    return chosen[
        (chosen["experiment"] == experiment)
        & (chosen["part"] == part)
        & (chosen["scope"] == scope)
        & (chosen["statistic"] == statistic)
    ].set_index("metric", drop=False)


def informative_scope(correlation: pd.DataFrame, experiment: str, part: str) -> str:
    """Within evaluation sets if there are several; with one set, pooled gives the same."""
    rows = correlation_rows(correlation, experiment, part, "within_eval")
    return "within_eval" if len(rows) and rows["n_eval"].max() > 1 else "pooled"


def main_part(frame: pd.DataFrame, experiment: str) -> str:
    """Whole documents, if they were scored."""
    parts = set(frame.loc[frame["experiment"] == experiment, "part"])
    return "whole" if "whole" in parts else min(parts)


def experiments_and_parts(correlation: pd.DataFrame) -> list[tuple[str, str]]:
    """In the order of the config, which the correlation table has; whole documents first."""
    parts = correlation.groupby("experiment", sort=False)["part"].unique()
    return [
        (str(experiment), part)
        for experiment, found in parts.items()
        for part in sorted(found, key=lambda part: (part != "whole", part))
    ]


def which_alignment(rows: pd.DataFrame) -> str:
    """For losses of answers, a sentence on the part of the alignments; empty if all are of whole rows."""
    metrics = rows.drop_duplicates("metric")
    of_whole = metrics[metrics["alignment_part"] == WHOLE]
    if len(of_whole) == len(metrics):
        return ""
    names = ", ".join(plain(name) for name in of_whole["metric"])
    return f" Alignment is of the answers only{f'; of whole pairs by {names}' if names else ''}."


def with_probe_range(rows: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Rows with columns for the smallest and the largest value over probes; unchanged in a run with one probe.

    A row names its statistic and its scope; the scope of a choice is the candidates.
    """
    if "probe_spread" not in tables:
        return rows
    keys = ["experiment", "part", "tokens", "metric", "scope", "statistic"]
    values = tables["probe_spread"].groupby(keys)["value"]
    return rows.merge(values.agg(probes_low="min", probes_high="max").reset_index(), on=keys, how="left")


def has_probe_range(rows: pd.DataFrame) -> bool:
    """Whether some of the rows are of a measure that was measured with several probes."""
    return PROBE_RANGE[0] in rows and bool(rows[PROBE_RANGE[0]].notna().any())


def choice_means(choice: pd.DataFrame) -> pd.DataFrame:
    """Means over evaluation sets at the largest budget, with all training sets as candidates; whole documents first."""
    chosen = largest_budget(choice)
    chosen = chosen[(chosen["candidates"] == "all") & chosen["eval_set"].isna()]
    panels = [
        chosen[(chosen["experiment"] == experiment) & (chosen["part"] == part)]
        for experiment, part in experiments_and_parts(chosen)
    ]
    return pd.concat([chosen.head(0), *panels])


def measures(means: pd.DataFrame) -> pd.DataFrame:
    """Choices by measures of alignment, without the baselines."""
    return means[~means["metric"].isin(BASELINES)]


def best_chooser(means: pd.DataFrame) -> tuple[pd.Series, int]:
    """The measure of least regret, the cheapest of several, and how many share that regret."""
    ranked = means.sort_values(["regret", "cost_seconds"], kind="stable")
    return ranked.iloc[0], int(np.isclose(ranked["regret"], ranked["regret"].iloc[0], atol=1e-9).sum())

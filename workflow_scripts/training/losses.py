"""The losses of all experiments in one table, their means over documents, and what is missing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

UNTRAINED = "none"
"""Value of `train_set` for an untrained base."""

LOSS_COLUMNS = [
    "experiment",
    "train_set",
    "eval_set",
    "part",
    "tokens",
    "fraction",
    "seed",
    "doc_id",
    "nll",
    "n_tokens",
    "n_bytes",
]
KEYS = LOSS_COLUMNS[:7]


LOSS_TYPES = {
    "recipe": "str",
    **dict.fromkeys(("train_set", "eval_set", "part"), "str"),
    **dict.fromkeys(("tokens", "seed"), "int64"),
    "doc_id": "str",
    "nll": "float64",
    **dict.fromkeys(("n_tokens", "n_bytes"), "int64"),
}


def no_losses() -> pd.DataFrame:
    """An empty table of losses with the columns of evaluations."""
    return pd.DataFrame(columns=list(LOSS_TYPES)).astype(LOSS_TYPES)


def losses_of_experiments(experiments: Sequence[Mapping[str, Any]], losses: pd.DataFrame) -> pd.DataFrame:
    """One row per experiment, model, part and document.

    `losses` has the column `recipe` besides those of an evaluation. Experiments with one recipe share its models, so
    a loss appears once in each; the untrained base belongs to every experiment of its recipe.
    """
    frames = [losses.iloc[:0].assign(experiment="", fraction=0.0)]
    for experiment in experiments:
        trained = losses["train_set"].isin(experiment["train_sets"]) & losses["tokens"].isin(
            experiment["tokens"]
        )
        chosen = losses[
            (losses["recipe"] == experiment["recipe"])
            & losses["eval_set"].isin(experiment["eval_sets"])
            & (trained | (losses["train_set"] == UNTRAINED))
        ]
        fraction = chosen["train_set"].map(experiment.get("fractions") or {}).astype("float64")
        frames.append(chosen.assign(experiment=experiment["name"], fraction=fraction))
    return pd.concat(frames, ignore_index=True)[LOSS_COLUMNS]


def ngram_losses_of_experiments(
    experiments: Iterable[Mapping[str, Any]], losses: pd.DataFrame
) -> pd.DataFrame:
    """One row per experiment and cell of its tables of losses, of n-gram models.

    `losses` has the column `recipe` besides those of the jobs that score them.
    """
    frames = [losses.iloc[:0].assign(experiment="")]
    for experiment in experiments:
        chosen = losses[
            (losses["recipe"] == experiment["recipe"])
            & losses["train_set"].isin(experiment["train_sets"])
            & losses["eval_set"].isin(experiment["eval_sets"])
            & losses["tokens"].isin(experiment["tokens"])
        ]
        frames.append(chosen.assign(experiment=experiment["name"]))
    columns = ["experiment", *losses.columns.drop("recipe")]
    return pd.concat(frames, ignore_index=True)[columns]


def summarise(losses: pd.DataFrame) -> pd.DataFrame:
    """Loss per token (nats), bits per byte and perplexity of every model on every evaluation set.

    Each is a ratio of sums over documents, R = sum y / sum x, with the standard error of the ratio estimator over
    documents, SE^2 = n / (n - 1) * sum (y_i - R x_i)^2 / (sum x_i)^2; perplexity = exp(loss) by the delta method. One
    document has no standard error.
    """
    groups = losses.groupby(KEYS, dropna=False, sort=True)
    number = groups.ngroup().to_numpy()
    summary = groups.agg(
        n_documents=("nll", "size"), n_tokens=("n_tokens", "sum"), n_bytes=("n_bytes", "sum")
    )
    n = summary["n_documents"]

    def sums(values: np.ndarray) -> np.ndarray:
        """Sums per group. Unlike pandas' sum, a diverged loss does not count as 0."""
        return np.bincount(number, weights=values, minlength=len(summary))

    nll = losses["nll"].to_numpy()
    for name, value, size in (("loss", nll, "n_tokens"), ("bits_per_byte", nll / np.log(2), "n_bytes")):
        ratio = sums(value) / summary[size].to_numpy()
        squares = sums((value - ratio[number] * losses[size].to_numpy()) ** 2)
        summary[name] = ratio
        summary[f"{name}_se"] = np.sqrt(n / (n - 1).where(n > 1) * squares) / summary[size]
    summary["perplexity"] = np.exp(summary["loss"])
    summary["perplexity_se"] = summary["perplexity"] * summary["loss_se"]
    return summary.reset_index()


def summary_of_recorded(experiment: str, losses: pd.DataFrame) -> pd.DataFrame:
    """Recorded mean losses with the columns of a summary; columns that a mean does not provide are null.

    A budget groups comparable models. If every model has a different number of tokens, there are no budgets, and all
    models get the budget 0.
    """
    budgets = losses.groupby("train_set")["tokens"].agg(lambda tokens: tuple(sorted(set(tokens))))
    shared = budgets.nunique() == 1
    return pd.DataFrame(
        {
            "experiment": experiment,
            "train_set": losses["train_set"],
            "eval_set": losses["eval_set"],
            "part": "whole",
            "tokens": losses["tokens"] if shared else 0,
            "fraction": np.nan,
            "seed": losses["seed"],
            **dict.fromkeys(("n_documents", "n_tokens", "n_bytes"), 0),
            "loss": losses["loss"],
            **dict.fromkeys(("loss_se", "bits_per_byte", "bits_per_byte_se"), np.nan),
            "perplexity": np.exp(losses["loss"]),
            "perplexity_se": np.nan,
        }
    )


def find_missing(experiments: Iterable[Mapping[str, Any]], losses: pd.DataFrame) -> list[dict[str, Any]]:
    """Models of the experiments that have no loss on an evaluation set.

    An experiment expects the seeds it names, or else every seed that its recipe has been trained with.
    """
    trained = losses[losses["train_set"] != UNTRAINED]
    columns = ["recipe", "train_set", "eval_set", "tokens", "seed"]
    present = set(trained[columns].drop_duplicates().itertuples(index=False, name=None))
    missing = []
    for experiment in experiments:
        recipe = experiment["recipe"]
        known = trained.loc[trained["recipe"] == recipe, "seed"].unique().tolist()
        seeds = experiment.get("seeds") or sorted(known) or [None]
        missing += [
            {
                "experiment": experiment["name"],
                "recipe": recipe,
                "train_set": train_set,
                "eval_set": eval_set,
                "tokens": tokens,
                "seed": seed,
            }
            for train_set in experiment["train_sets"]
            for eval_set in experiment["eval_sets"]
            for tokens in experiment["tokens"]
            for seed in seeds
            if (recipe, train_set, eval_set, tokens, seed) not in present
        ]
    return missing


def find_not_finite(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """Models whose loss is not a number, because their training diverged."""
    broken = summary.loc[~np.isfinite(summary["loss"]), KEYS].drop(columns="fraction")
    return broken.to_dict("records")

"""Compares trained models with n-gram models of the same tokens, for each cell of a table of losses."""

import numpy as np
import pandas as pd

KEYS = ["experiment", "part", "tokens", "train_set", "eval_set"]


def ngram_gaps(losses: pd.DataFrame, ngrams: pd.DataFrame) -> pd.DataFrame:
    """The cells in both tables: `loss`, the mean over seeds, `ngram_loss`, and by how much the models are better.

    `is_own` marks a training set's own held-out part. Cells in which all models diverged are left out.
    """
    finite = losses[np.isfinite(losses["loss"])]
    means = finite.groupby(KEYS, sort=False, as_index=False).agg(
        loss=("loss", "mean"), n_seeds=("seed", "nunique")
    )
    counted = ngrams[[*KEYS, "loss", "order", "from_scratch"]].rename(columns={"loss": "ngram_loss"})
    gaps = means.merge(counted, on=KEYS, how="inner", validate="one_to_one")
    return gaps.assign(
        better_by=gaps["ngram_loss"] - gaps["loss"], is_own=gaps["train_set"] == gaps["eval_set"]
    )

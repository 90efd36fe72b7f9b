"""Update the worths of all candidates with short training runs on some of them.

At equal tokens the losses of two candidates differ because their tokens differ in worth:

    log k_c - log k_d = (L_d - L_c) / b

b is the slope of the best candidate's loss over the logarithm of its budgets. Draws of log k from alignments are moved
towards these differences, weighted by the certainty of both (an ensemble Kalman update, Evensen 2003, "The ensemble
Kalman filter", Ocean Dynamics 53). This is exact if the draws are normal. A short run differs from a longer one or a
larger model by `TRANSFER` (`python -m benchmarks.ranking --short-runs`), and by the noise of seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workflow_scripts.choosing.worth import Array
from workflow_scripts.errors import UserError

TRANSFER = 0.33
"""Standard deviation of log k from short runs about log k from longer ones."""


@dataclass(frozen=True)
class ShortRuns:
    """log k of the candidates with short runs, up to a constant, with the errors from seeds."""

    candidates: tuple[str, ...]
    log_worth: Array
    errors: Array
    losses: Array
    loss_errors: Array


def read_short_runs(losses: pd.DataFrame, experiment: str, target: str) -> ShortRuns:
    """Short runs from a summary of losses: whole documents, the largest budget, means over seeds."""
    rows = losses[
        (losses["experiment"] == experiment) & (losses["eval_set"] == target) & (losses["part"] == "whole")
    ]
    curves = rows.groupby(["train_set", "tokens"])["loss"].agg(["mean", "sem"]).unstack("tokens")
    means, errors = curves["mean"], curves["sem"].fillna(0.0)
    if len(means) < 2 or means.shape[1] < 2:
        raise UserError(
            f"experiment {experiment} has {len(means)} training sets and {means.shape[1]} budgets for {target}; "
            "give at least two of each"
        )
    last, last_errors = means.iloc[:, -1], errors.iloc[:, -1]
    best = means.loc[last.idxmin()].to_numpy()
    slope = -np.polyfit(np.log(means.columns.to_numpy(dtype=float)), best, 1)[0]
    if not slope > 0:
        raise UserError(
            f"experiment {experiment}: more tokens did not lower the loss on {target}; train longer"
        )
    return ShortRuns(
        tuple(means.index),
        -(last.to_numpy() - last.min()) / slope,
        last_errors.to_numpy() / slope,
        last.to_numpy(),
        last_errors.to_numpy(),
    )


def updated(log_worth: Array, names: Sequence[str], runs: ShortRuns, seed: int) -> Array:
    """Draws of log k, (draws, candidates), moved towards short runs on some of the candidates."""
    columns = [list(names).index(candidate) for candidate in runs.candidates]
    n = len(columns)
    # Differences to the first one, because short runs measure log k up to a constant.
    differences = np.hstack([-np.ones((n - 1, 1)), np.eye(n - 1)])
    predicted = log_worth[:, columns] @ differences.T
    noise = differences @ np.diag(runs.errors**2 + TRANSFER**2) @ differences.T
    centred, centred_predicted = log_worth - log_worth.mean(axis=0), predicted - predicted.mean(axis=0)
    cross = centred.T @ centred_predicted / len(log_worth)
    own = centred_predicted.T @ centred_predicted / len(log_worth)
    gain = cross @ np.linalg.inv(own + noise)
    generator = np.random.default_rng([seed, n])
    observed = differences @ runs.log_worth + generator.multivariate_normal(
        np.zeros(n - 1), noise, len(log_worth)
    )
    return log_worth + (observed - predicted) @ gain.T

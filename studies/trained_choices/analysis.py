"""Paired differences of loss between two arms, ours minus the other: below 0, ours is better.

A difference is of one target and one seed: both models start from the same weights. Three intervals of 95%:

- of a target: Student's t over its seeds. It shows how much another seed would change the difference on this target.
- of these targets: the mean over targets; variances of the targets' means add up, with the degrees of freedom of
  all seeds. It does not extend to other targets.
- over targets: Student's t of the targets' means, which are the units. With three targets it has 2 degrees of freedom.
"""

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.975


def paired_differences(losses: pd.DataFrame, ours: str) -> pd.DataFrame:
    """Columns arm, target, seed, difference; `losses` has arm, target, seed, loss."""
    wide = losses.pivot(index=["target", "seed"], columns="arm", values="loss")
    others = wide.rsub(wide[ours], axis=0).drop(columns=ours)
    return others.stack().rename("difference").reset_index()


def summary(losses: pd.DataFrame, ours: str) -> pd.DataFrame:
    """A row per arm and target, and per arm for the pool of targets in both senses."""
    rows = []
    for arm, of_arm in paired_differences(losses, ours).groupby("arm", sort=False):
        by_target = of_arm.groupby("target", sort=False)["difference"]
        for target, values in by_target:
            rows.append((arm, target, *_t_interval(values.to_numpy())))
        means = by_target.mean().to_numpy()
        counts = by_target.size()
        error = float(np.sqrt((by_target.var(ddof=1) / counts).sum())) / len(means)
        half = stats.t.ppf(LEVEL, int((counts - 1).sum())) * error
        rows.append((arm, "these targets", means.mean(), means.mean() - half, means.mean() + half))
        rows.append((arm, "over targets", *_t_interval(means)))
    return pd.DataFrame(rows, columns=["arm", "target", "difference", "low", "high"])


def unigram_loss(trained: np.ndarray, evaluated: np.ndarray, vocabulary: int) -> float:
    """Nats per token of one text under the token frequencies of another one, with 1 added to each count."""
    counts = np.bincount(trained, minlength=vocabulary) + 1
    return float(-np.log(counts / counts.sum())[evaluated].mean())


def _t_interval(values: np.ndarray) -> tuple[float, float, float]:
    mean = float(values.mean())
    if len(values) < 2:
        return mean, -np.inf, np.inf
    half = float(stats.t.ppf(LEVEL, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half

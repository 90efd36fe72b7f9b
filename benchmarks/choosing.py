"""Studies in which a metric chooses training data: coverage of the intervals of mean regret and of mean tau.

Loss and alignment on an evaluation set are each an effect of the training set (30% of the variance) and a rest;
they correlate at minus `skill`. The truth is the mean regret over 2,000 more evaluation sets, and Kendall's tau over
200, of losses without the noise of seeds. With a skill of .995 most choices are right and most regrets zero.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, t

from workflow_scripts.statistics.choice import Costs, choices
from workflow_scripts.statistics.correlation import Grid
from workflow_scripts.statistics.experiments import Experiment, Panel

SIZES = ((7, 11), (9, 14), (15, 7), (7, 3))
SKILLS = (0.0, 0.6, 0.9, 0.995)
NOISES = (0.02, 0.2)
OF_TRAIN_SETS, SEEDS, MORE_EVAL_SETS, EVAL_SETS_OF_TAU = 0.3, 3, 2_000, 200
OURS = "with_an_unseen_set"
TAU = "tau_jackknife"


def study(
    rng: np.random.Generator, size: tuple[int, int], skill: float, noise: float
) -> tuple[Grid, NDArray[np.float64], float, float]:
    """Alignment, losses with seeds as the first axis, the true mean regret and the true mean tau."""
    n_train, n_eval = size

    def grid() -> Grid:
        of_sets = np.sqrt(OF_TRAIN_SETS) * rng.normal(size=(n_train, 1))
        return of_sets + np.sqrt(1 - OF_TRAIN_SETS) * rng.normal(size=(n_train, n_eval + MORE_EVAL_SETS))

    loss = grid()
    alignment = -skill * loss + np.sqrt(1 - skill**2) * grid()
    seen, more = loss[:, :n_eval], loss[:, n_eval:]
    truth = more[alignment[:, n_eval:].argmax(axis=0), np.arange(MORE_EVAL_SETS)] - more.min(axis=0)
    few = slice(n_eval, n_eval + EVAL_SETS_OF_TAU)
    tau = mean_tau(alignment[:, few], loss[:, few])
    runs = rng.normal(size=(SEEDS, n_train, 1)) + rng.normal(size=(SEEDS, *seen.shape))
    return alignment[:, :n_eval], seen + noise * runs / np.sqrt(2), float(truth.mean()), tau


def mean_row(alignment: Grid, losses: NDArray[np.float64]) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """The row of means of our table, and the regret on each evaluation set."""
    train_sets, eval_sets = (tuple(map(str, range(n))) for n in alignment.shape)
    panel = Panel(
        experiment=Experiment("simulated", "pretraining", train_sets, eval_sets),
        part="whole",
        tokens=1,
        train_sets=train_sets,
        eval_sets=eval_sets,
        losses=losses,
        alignments={"metric": alignment},
        in_domain=np.zeros(alignment.shape, bool),
        note="",
    )
    rows = [row for row in choices(panel, Costs({}, lambda *_: np.nan)) if row["metric"] == "metric"]
    return rows[-1], np.array([row["regret"] for row in rows[:-1]])


def mean_tau(alignment: Grid, loss: Grid) -> float:
    """Mean tau over evaluation sets."""
    pairs = zip(alignment.T, loss.T, strict=True)
    return float(np.mean([kendalltau(one, -other).statistic for one, other in pairs]))


def lines(studies: int, seed: int) -> Iterator[dict[str, Any]]:
    """One line per size, skill, noise and method: coverage of 95% intervals and the mean upper end, in nats."""
    for case, (size, skill, noise) in enumerate(product(SIZES, SKILLS, NOISES)):
        rng = np.random.default_rng([seed, case])
        found: dict[str, list[tuple[float, float]]] = {OURS: [], "t": [], TAU: []}
        zeros = []
        for _ in range(studies):
            alignment, losses, truth, tau = study(rng, size, skill, noise)
            row, seen = mean_row(alignment, losses)
            half = t.ppf(0.975, len(seen) - 1) * seen.std(ddof=1) / np.sqrt(len(seen))
            ends = {
                OURS: (row["regret_low"], row["regret_high"]),
                "t": (seen.mean() - half, seen.mean() + half),
            }
            for method, (low, high) in ends.items():
                found[method].append((low <= truth <= high, high))
            low, high = row["kendall_tau_low"], row["kendall_tau_high"]
            # If all rankings are the same, there is no spread, so there is no interval to count.
            found[TAU].append((low <= tau <= high if np.isfinite(low) else np.nan, high))
            zeros.append((seen == 0).mean())
        for method, results in found.items():
            held, highs = np.array(results, dtype=float).T
            yield {
                "design": f"{size[0]} x {size[1]}",
                "scope": "regret",
                "method": method,
                "skill": skill,
                "noise_of_seeds": noise,
                "zeros": round(float(np.mean(zeros)), 2),
                "covers": round(float(np.nanmean(held)), 4),
                "upper_end": round(float(np.nanmean(highs)), 2),
            }

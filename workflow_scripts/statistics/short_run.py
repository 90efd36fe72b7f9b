"""A short run as a baseline: the losses at a lower budget choose the training set at a higher one.

The lower budget is the experiment's budget nearest to a quarter of the higher one. There are two baselines: the mean
over seeds, which costs the runs of all seeds, and the first seed. A short run and the long run of the same seed start
from the same weights and read the same rows first. What they share by chance favours the short run: the baseline
chooses which run to continue.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.statistics.correlation import Grid
from workflow_scripts.statistics.experiments import Panel

SHORT_RUN, ONE_SEED = "short_run", "short_run_one_seed"
SHORT_RUNS = (SHORT_RUN, ONE_SEED)
SHARE = 0.25


@dataclass(frozen=True)
class ShortRun:
    """Losses of short runs for the pairs of a panel, in the form of an alignment: lower loss is higher."""

    name: str
    budget: Panel
    """The losses used."""
    n_seeds: int
    alignment: Grid
    without_seed: tuple[Grid, ...]
    """The values without each seed of the panel; empty if they do not depend on seeds."""

    @property
    def about(self) -> str:
        runs = "one run" if self.n_seeds == 1 else f"the mean of {self.n_seeds} runs"
        return f"{runs} of {self.budget.tokens:,} tokens on each candidate"


def lower_budget(panel: Panel, panels: Iterable[Panel]) -> Panel | None:
    """The lower budget of the same experiment and part that is nearest to a quarter of the panel's."""
    lower = [
        other
        for other in panels
        if (other.experiment.name, other.part) == (panel.experiment.name, panel.part)
        and 0 < other.tokens < panel.tokens
    ]
    return min(lower, key=lambda other: abs(np.log(other.tokens / (SHARE * panel.tokens))), default=None)


def short_runs(panel: Panel, panels: Iterable[Panel]) -> list[ShortRun]:
    """The baselines of a panel; none if its experiment has no lower budget."""
    budget = lower_budget(panel, panels)
    if budget is None:
        return []
    n_seeds = len(budget.losses)

    def alignment(loss: Grid) -> Grid:
        return -_of_pairs(loss, budget, panel)

    same_seeds = 1 < n_seeds == len(panel.losses)
    without = tuple(alignment(budget.without_seed(seed)) for seed in range(n_seeds)) if same_seeds else ()
    found = [ShortRun(SHORT_RUN, budget, n_seeds, alignment(budget.loss), without)]
    if n_seeds > 1:
        found.append(ShortRun(ONE_SEED, budget, 1, alignment(budget.losses[0]), ()))
    return found


def _of_pairs(loss: Grid, budget: Panel, panel: Panel) -> NDArray[np.float64]:
    """The losses at the lower budget in the order of the panel's sets; NaN where a pair has none."""
    found = np.full((len(panel.train_sets), len(panel.eval_sets)), np.nan)
    for i, train_set in enumerate(panel.train_sets):
        for j, eval_set in enumerate(panel.eval_sets):
            if train_set in budget.train_sets and eval_set in budget.eval_sets:
                found[i, j] = loss[budget.train_sets.index(train_set), budget.eval_sets.index(eval_set)]
    return found

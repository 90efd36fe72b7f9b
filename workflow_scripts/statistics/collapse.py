"""Do the losses of our own runs fall on one curve per target, as a function of effective tokens?

Every training set at every budget is one run in the law of `token_law`, with its N tokens split over the corpora that
it is mixed of. If the law holds, the loss on a target is a straight line in the logarithm of effective tokens,
whatever the training set, the share of the target or the budget.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow_scripts.statistics.effective_tokens import Gaps, Runs
from workflow_scripts.statistics.experiments import Experiment, losses_of
from workflow_scripts.statistics.token_law import Law, Prior, fit_law

Array = NDArray[np.float64]

KERNEL = "root"
# tau as a multiple of the run's median gap, chosen on RegMix's 512 models of 1M parameters for counts of words.
TAU = 2**-5.5
# Our runs are short, and some start from a trained base, so prior knowledge may outweigh the tokens read.
PRIOR = Prior(base=0.03, base_spread=3.0, slope_spread=1.0)
FEWEST_RUNS = 8
FEWEST_TRAIN_SETS = 4
_KEY = {**dict.fromkeys(("experiment", "part", "metric", "eval_set"), "str")}
COLLAPSE_TYPES = {
    **_KEY,
    **dict.fromkeys(("slope", "base", "noise", "r2", "r2_left_out", "error_left_out", "tau"), "float64"),
    **dict.fromkeys(("n_runs", "n_train"), "int64"),
}
CURVE_TYPES = {
    **_KEY,
    "train_set": "str",
    "tokens": "int64",
    **dict.fromkeys(("effective_tokens", "loss", "predicted"), "float64"),
}
WORTH_TYPES = {**_KEY, "corpus": "str", **dict.fromkeys(("worth", "low", "high", "prior"), "float64")}


def runs_of_experiment(
    experiment: Experiment, part: str, losses: pd.DataFrame, mixed_of: Mapping[str, Mapping[str, float]]
) -> Runs:
    """Every training set at every budget as one run, with mean losses over seeds; mixtures are split into corpora."""
    own = losses_of(experiment, losses)
    wide = own[own["part"] == part].pivot_table(
        index=["train_set", "tokens"], columns="eval_set", values="loss", aggfunc="mean", sort=True
    )
    wide = wide.dropna()
    names = wide.index.get_level_values("train_set")
    shares = {name: mixed_of.get(name, {name: 1.0}) for name in names}
    corpora = sorted({corpus for one in shares.values() for corpus in one})
    return Runs(
        train_sets=tuple(names),
        parts=tuple(corpora),
        targets=tuple(wide.columns),
        shares=np.array([[shares[name].get(corpus, 0.0) for corpus in corpora] for name in names]),
        tokens=wide.index.get_level_values("tokens").to_numpy(dtype=float),
        losses=wide.to_numpy(dtype=float),
    )


def collapse(
    runs: Runs, gaps: Gaps, median_gap: float, key: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the three tables: how well the law holds for each target, its curve, its worths.

    tau is not fitted to these losses. One training set at a time is left out, at all its budgets; its loss is then
    predicted from its alignment by the law fitted to the others.
    """
    tau = median_gap * TAU
    prior = gaps.worth(KERNEL, tau)
    summary, curve, worths = [], [], []
    for j, target in enumerate(runs.targets):
        own_key = {**key, "eval_set": target}
        law = _fit(runs, prior, j, np.arange(len(runs.losses)))
        predicted, _ = law.predict(runs.shares, runs.tokens)
        left_out = _left_out(runs, prior, j)
        summary.append(
            {
                **own_key,
                "slope": law.slope,
                "base": law.base * law.unit,
                "noise": law.noise,
                "r2": _r2(runs.losses[:, j], predicted),
                "r2_left_out": _r2(runs.losses[:, j], left_out),
                "error_left_out": float(np.mean(np.abs(runs.losses[:, j] - left_out))),
                "tau": tau,
                "n_runs": len(predicted),
                "n_train": len(set(runs.train_sets)),
            }
        )
        effective = (runs.shares @ law.worth) * runs.tokens
        for i, train_set in enumerate(runs.train_sets):
            curve.append(
                {
                    **own_key,
                    "train_set": train_set,
                    "tokens": int(runs.tokens[i]),
                    "effective_tokens": effective[i],
                    "loss": runs.losses[i, j],
                    "predicted": predicted[i],
                }
            )
        worths += list(_worths(own_key, runs, law, prior[:, j]))
    return summary, curve, worths


def large_enough(runs: Runs) -> bool:
    """Whether there are more runs than the law has parameters."""
    return len(runs.losses) >= FEWEST_RUNS and len(set(runs.train_sets)) >= FEWEST_TRAIN_SETS


def _fit(runs: Runs, prior: Array, j: int, rows: NDArray[np.intp]) -> Law:
    own = runs.own_part(runs.targets[j])
    return fit_law(runs.shares[rows], runs.tokens[rows], runs.losses[rows, j], prior[:, j], own, PRIOR)


def _left_out(runs: Runs, prior: Array, j: int) -> Array:
    """Losses of each training set, predicted by the law fitted to the others."""
    names = np.array(runs.train_sets)
    predicted = np.empty(len(names))
    for name in np.unique(names):
        away = names == name
        law = _fit(runs, prior, j, np.flatnonzero(~away))
        predicted[away], _ = law.predict(runs.shares[away], runs.tokens[away])
    return predicted


def _worths(key: Mapping[str, str], runs: Runs, law: Law, prior: Array) -> Iterator[dict[str, Any]]:
    spread = np.exp(1.96 * law.log_worth_error)
    for d, corpus in enumerate(runs.parts):
        worth = law.worth[d]
        ends = {"low": worth / spread[d], "high": worth * spread[d]}
        yield {**key, "corpus": corpus, "worth": worth, **ends, "prior": prior[d]}


def _r2(values: Array, predicted: Array) -> float:
    """Share of the variance that is predicted; below 0 if the mean predicts better."""
    return float(1 - np.sum((values - predicted) ** 2) / np.sum((values - values.mean()) ** 2))


def table(rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(types)).astype(dict(types))

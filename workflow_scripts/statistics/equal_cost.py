"""A league at equal cost: which measure chooses best, and which correlates best with loss, within a number of seconds.

Seconds are those of all candidates and evaluation sets of a panel. The most expensive choice is to train one model on
every candidate: it chooses by the losses themselves, so it has no regret. The measure of least regret is picked with
the losses of the same sets, which flatters it. `regret_elsewhere` corrects this: on each evaluation set, it is the
regret of the measure that is best on the others, if there are several.
"""

from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.statistics.association import NAN
from workflow_scripts.statistics.choice import BLIND

TRAINING = "training_all"
BUDGETS = (1.0, 10.0, 60.0, 600.0)
_CHOSEN = ("cost_seconds", "regret", "regret_low", "regret_high")


def league(choice: pd.DataFrame, correlations: "pd.Series[float]") -> pd.DataFrame:
    """A row per budget of seconds, and one for training all.

    choice: rows with seconds of one experiment, part, budget of tokens and group of candidates; correlations: of
    measures with loss, by name.
    """
    means = choice[choice["eval_set"].isna()].set_index("metric")
    means = means[means["cost_seconds"].notna() | (means.index == BLIND)]
    training = float(means["training_seconds"].max())
    regrets = choice[choice["eval_set"].notna()].pivot_table(
        index="metric", columns="eval_set", values="regret", aggfunc="first"
    )
    budgets = [seconds for seconds in BUDGETS if not training <= seconds]
    rows = [
        {"seconds": seconds, **_best_within(seconds, means, regrets, correlations)} for seconds in budgets
    ]
    if np.isfinite(training):
        rows.append({"seconds": training, "best": TRAINING, "cost_seconds": training, "regret": 0.0})
    columns = ["seconds", "affordable", "best", *_CHOSEN, "regret_elsewhere", "r", "closest", "r_of_closest"]
    return pd.DataFrame(rows).reindex(columns=columns)


def frontier(means: pd.DataFrame, seconds: str = "cost_seconds", regret: str = "regret") -> "pd.Series[bool]":
    """Rows without an equal or better row at the same or lower cost: more seconds must buy less regret."""
    ordered = means.sort_values([seconds, regret], kind="stable")
    least_before = ordered[regret].cummin().shift(fill_value=np.inf)
    return (ordered[regret] < least_before).reindex(means.index)


def _best_within(
    seconds: float, means: pd.DataFrame, regrets: pd.DataFrame, correlations: "pd.Series[float]"
) -> dict[str, Any]:
    """The affordable row of least regret, the cheapest of equals; a blind draw costs nothing."""
    affordable = means[means["cost_seconds"] <= seconds].sort_values(
        ["regret", "cost_seconds"], kind="stable"
    )
    best = affordable.iloc[0]
    known = correlations.reindex(affordable.index).dropna()
    return {
        "affordable": len(affordable) - int(BLIND in affordable.index),
        "best": str(best.name),
        **{name: best[name] for name in _CHOSEN},
        "regret_elsewhere": _elsewhere(regrets.reindex(affordable.index).dropna(axis="columns")),
        "r": correlations.get(str(best.name), NAN),
        "closest": known.idxmin() if len(known) else None,
        "r_of_closest": known.min() if len(known) else NAN,
    }


def _elsewhere(regrets: pd.DataFrame) -> float:
    """Mean regret on each evaluation set of the row that is best on the others; the first of equals."""
    if regrets.shape[1] < 2:
        return NAN
    values = regrets.to_numpy()
    others = values.sum(axis=1, keepdims=True) - values
    picked = np.round(others, 9).argmin(axis=0)
    return float(values[picked, np.arange(values.shape[1])].mean())

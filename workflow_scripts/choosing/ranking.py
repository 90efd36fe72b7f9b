"""A ranking of candidates by effective tokens for one target, with its uncertainty."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workflow_scripts.choosing.verification import ShortRuns, updated
from workflow_scripts.choosing.worth import Array, Constants, drawn_log_worth

# Two candidates are distinguishable if the better one wins in at least this share of draws.
SURE = 0.95
MOST_NAMED = 5
RANKING_COLUMNS = (
    "candidate",
    "rank",
    "effective_tokens",
    "low",
    "high",
    "low_80",
    "high_80",
    "probability_best",
    "as_good_as_best",
    "worth",
    "worth_low",
    "worth_high",
    "tokens",
)


@dataclass(frozen=True)
class Ranking:
    """`table` has a row per candidate, best first; `better` the share of draws in which row i beats row j."""

    table: pd.DataFrame
    better: Array
    sure_if_measured: Array
    """`better` without errors of alignment: what more text of the candidates could settle."""


def rank(
    alignments: Mapping[str, tuple[float, float]],
    tokens: Mapping[str, float],
    constants: Constants,
    draws: int,
    seed: int,
    runs: ShortRuns | None = None,
) -> Ranking:
    """Rank candidates, given as name -> (alignment with the target, its standard error), by E = N k.

    Short runs on some of them, if given, correct the worths from alignments.

    `effective_tokens` and `worth` are medians of the draws; `low` to `high` contain 95% of them, `low_80` to `high_80`
    80%. A candidate is `as_good_as_best` if the first one beats it in less than 95% of the draws.
    """
    names = sorted(alignments)
    values, errors = zip(*(alignments[name] for name in names), strict=True)
    log_tokens = np.log([tokens[name] for name in names])
    log_k = drawn_log_worth(values, errors, constants, draws, seed)
    without_error = drawn_log_worth(values, np.zeros(len(names)), constants, draws, seed)
    if runs is not None:
        log_k, without_error = (updated(one, names, runs, seed) for one in (log_k, without_error))
    effective = log_tokens + log_k
    order = np.argsort(-np.median(effective, axis=0), kind="stable")
    effective, log_k = effective[:, order], log_k[:, order]
    exact = log_tokens[order] + without_error[:, order]
    better = beats(effective)
    best = np.bincount(effective.argmax(axis=1), minlength=len(names)) / draws
    low, low_80, middle, high_80, high = np.exp(np.quantile(effective, (0.025, 0.1, 0.5, 0.9, 0.975), axis=0))
    worth_low, worth, worth_high = np.exp(np.quantile(log_k, (0.025, 0.5, 0.975), axis=0))
    table = pd.DataFrame(
        {
            "candidate": [names[i] for i in order],
            "rank": np.arange(1, len(names) + 1),
            "effective_tokens": middle,
            "low": low,
            "high": high,
            "low_80": low_80,
            "high_80": high_80,
            "probability_best": best,
            "as_good_as_best": better[0] < SURE,
            "worth": worth,
            "worth_low": worth_low,
            "worth_high": worth_high,
            "tokens": [float(tokens[names[i]]) for i in order],
        },
        columns=list(RANKING_COLUMNS),
    )
    return Ranking(table, better, beats(exact))


def beats(draws: Array) -> Array:
    """Share of the draws (rows) in which column i is above column j; the diagonal is one half."""
    above = np.stack([(one[:, None] > draws).mean(axis=0) for one in draws.T])
    return above + np.diag(np.full(draws.shape[1], 0.5))


def alike(ranking: Ranking) -> list[str]:
    """The first candidate and those that cannot be distinguished from it."""
    return list(ranking.table.loc[ranking.table["as_good_as_best"], "candidate"])


def sentence(ranking: Ranking) -> str:
    """The answer in one line."""
    names = list(ranking.table["candidate"])
    first, equals = names[0], alike(ranking)
    if len(names) == 1:
        return f"{first} is the only candidate, so there is nothing to choose."
    if len(equals) == 1:
        share = ranking.table["probability_best"].iloc[0]
        return f"Use {first}: it is the best of {len(names)} with probability {_percent(share)}."
    if len(equals) == len(names):
        return f"{_listed(equals)} cannot be told apart; {first} is ahead by a little."
    return f"Use {first}; {_listed(equals)} cannot be told apart."


def what_would_settle(ranking: Ranking, tried: Collection[str] = ()) -> str:
    """What to do if the best candidates cannot be told apart, else empty. `tried`: candidates with short runs."""
    rivals = [i for i, equal in enumerate(ranking.table["as_good_as_best"]) if equal and i > 0]
    if not rivals:
        return ""
    if all(ranking.sure_if_measured[0, i] >= SURE for i in rivals):
        return "More text would settle it, because the alignments are too imprecise."
    named = _listed(ranking.table["candidate"].iloc[[0, *rivals]].tolist())
    if set(ranking.table["candidate"].iloc[[0, *rivals]]) <= set(tried):
        return f"Longer training runs on {named} would settle it."
    return f"Short training runs on {named} would settle it; more text would not."


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    if len(names) > MOST_NAMED:
        names = [*names[: MOST_NAMED - 1], f"{len(names) - MOST_NAMED + 1} others"]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _percent(share: float) -> str:
    return "above 99%" if share > 0.99 else f"{share:.0%}"

"""How well rules choose among given mixtures, for many sets of targets: regret, rank, and paired intervals.

A rule gives every mixture a score for every target. For a set of targets it chooses the mixture with the highest mean
score. Regret: the chosen mixture's mean loss over these targets minus the lowest. Rank: 1 is the best mixture.

Resamples draw mixtures with replacement and give the targets random weights (the Bayesian bootstrap, Rubin 1981), the
same for every rule. A rule then chooses among the drawn mixtures, and the weight of a set of targets is the product of
its targets' weights. The variance over draws of a regression's proxies is added. Intervals are normal, 1.96 standard
deviations on each side.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Z = 1.96
# The choice without a rule: a mixture drawn blindly.
ANY = "any_mixture"
ALL, ONE, SUBSETS = "all_targets", "one_target", "subsets"
WITHOUT_OWN = "_without_own"
# Fewest mixtures without the targets' own parts for a meaningful choice.
FEWEST = 8


@dataclass(frozen=True)
class TargetSets:
    """Sets of equally weighted targets, and the mixtures that may be chosen for each."""

    name: str
    members: NDArray[np.bool_]  # sets x targets
    allowed: NDArray[np.bool_]  # mixtures x sets

    @property
    def weights(self) -> Array:
        """targets x sets, each set summing to 1."""
        return (self.members / self.members.sum(axis=1, keepdims=True)).T


def target_sets(own_shares: Array, subsets: int, sizes: tuple[int, int], seed: int) -> list[TargetSets]:
    """All targets as one set; each one; random subsets of some sizes (ends included).

    The last two again, with only the mixtures without the targets' own parts, if there are enough.
    """
    rng = np.random.default_rng(seed)
    n_mixtures, n_targets = own_shares.shape
    members = np.zeros((subsets, n_targets), dtype=bool)
    for row in members:
        row[rng.choice(n_targets, rng.integers(sizes[0], sizes[1] + 1), replace=False)] = True
    kinds = {ALL: np.ones((1, n_targets), dtype=bool), ONE: np.eye(n_targets, dtype=bool), SUBSETS: members}
    found = [TargetSets(name, sets, np.ones((n_mixtures, len(sets)), bool)) for name, sets in kinds.items()]
    for name in (ONE, SUBSETS):
        allowed = (own_shares @ kinds[name].T) == 0
        enough = allowed.sum(axis=0) >= FEWEST
        if enough.any():
            found.append(TargetSets(name + WITHOUT_OWN, kinds[name][enough], allowed[:, enough]))
    return found


@dataclass(frozen=True)
class Outcome:
    """Mean regret and rank of one rule, by resample and by draw of its proxies."""

    by_draw: Array  # (draws, 2)
    resampled: Array  # (resamples, 2)

    @property
    def mean(self) -> Array:
        return self.by_draw.mean(axis=0)

    @property
    def draw_variance(self) -> Array:
        """Variance of the mean over draws."""
        draws = len(self.by_draw)
        return self.by_draw.var(axis=0, ddof=1) / draws if draws > 1 else np.zeros(2)


def outcomes(
    rules: Mapping[str, Array], losses: Array, sets: TargetSets, resamples: int, seed: int
) -> dict[str, Outcome]:
    """Outcome of each rule; scores are (draws, mixtures, targets), losses mixtures x targets."""
    rng = np.random.default_rng([seed, len(losses)])
    loss = losses @ sets.weights  # mixtures x sets
    orders = {
        name: np.argsort(-(scores @ sets.weights), axis=1, kind="stable") for name, scores in rules.items()
    }
    n, n_targets = losses.shape
    judged = [_judge(orders, loss, sets.allowed.astype(float), np.ones(len(sets.members)))]
    for _ in range(resamples):
        mixtures = rng.multinomial(n, np.full(n, 1 / n)).astype(float)[:, None] * sets.allowed
        targets = rng.dirichlet(np.ones(n_targets)) * n_targets
        # The set of all targets is one choice, whatever the weights of its targets.
        counted = np.where(sets.members, targets, 1).prod(axis=1) if len(sets.members) > 1 else np.ones(1)
        judged.append(_judge(orders, loss, mixtures, counted * mixtures.any(axis=0)))
    return {
        name: Outcome(judged[0][name], np.array([one[name].mean(axis=0) for one in judged[1:]]))
        for name in (*rules, ANY)
    }


def _judge(
    orders: Mapping[str, NDArray[np.intp]], loss: Array, mixtures: Array, counted: Array
) -> dict[str, Array]:
    """Mean regret and rank of each rule's draws, (draws, 2), with weights of mixtures (x sets) and of sets."""
    there = mixtures > 0
    by_loss = np.argsort(loss, axis=0, kind="stable")
    in_order = np.take_along_axis(mixtures, by_loss, axis=0)
    rank = np.empty_like(loss)
    np.put_along_axis(rank, by_loss, 1 + np.cumsum(in_order, axis=0) - in_order, axis=0)
    best = np.where(there, loss, np.inf).min(axis=0)
    regret = loss - np.where(there.any(axis=0), best, 0.0)
    columns = np.arange(loss.shape[1])
    found = {}
    for name, order in orders.items():
        rows = []
        for draw in order:
            chosen = draw[np.argmax(np.take_along_axis(there, draw, axis=0), axis=0), columns]
            rows.append([np.average(value[chosen, columns], weights=counted) for value in (regret, rank)])
        found[name] = np.array(rows)
    times = np.maximum(mixtures.sum(axis=0), 1)
    blind = [np.average((mixtures * value).sum(axis=0) / times, weights=counted) for value in (regret, rank)]
    return {**found, ANY: np.array([blind])}


def lines(found: Mapping[str, Outcome], ours: str, sets: TargetSets) -> Iterator[dict[str, Any]]:
    """A line per rule: regret and rank, and their differences from ours."""
    for name, outcome in found.items():
        regret, rank = outcome.mean
        line: dict[str, Any] = {"sets": sets.name, "n_sets": len(sets.members), "rule": name}
        line |= {
            "regret": round(regret, 4),
            "rank": round(rank, 1),
            "mixtures": round(float(sets.allowed.sum(axis=0).mean())),
        }
        if name != ours:
            difference = outcome.mean - found[ours].mean
            variance = (outcome.resampled - found[ours].resampled).var(axis=0, ddof=1)
            half = Z * np.sqrt(variance + outcome.draw_variance + found[ours].draw_variance)
            for what, value, width, digits in zip(("regret", "rank"), difference, half, (4, 1), strict=True):
                line[f"{what}_above_ours"] = _rounded((value, value - width, value + width), digits)
        yield line


def _rounded(values: Sequence[float], digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]

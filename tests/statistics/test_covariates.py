"""Which covariates the points can carry."""

import numpy as np

from workflow_scripts.statistics.association import Scope
from workflow_scripts.statistics.correlation import Centring
from workflow_scripts.statistics.covariates import chosen_covariates


def chosen(centring: Centring, n_train: int = 10, related: int = 1, **covariates: np.ndarray) -> list[str]:
    """`related`: how many of the training sets, from the first, are one family."""
    x, y = np.random.default_rng(0).normal(size=(2, n_train, 4))
    families = np.maximum(np.arange(n_train) - related + 1, 0)
    return chosen_covariates(covariates, x, y, Scope(centring, centring, np.ones(x.shape, bool)), families)


def test_related_sets_carry_no_more_than_one() -> None:
    rng = np.random.default_rng(1)
    covariates = {name: rng.normal(size=(10, 4)) for name in "abcd"}
    assert chosen("pooled", 10, related=4, **covariates) == ["a", "b"]
    assert chosen("pooled", 10, related=7, **covariates) == ["a"]


def test_one_for_every_three_training_sets_after_the_first() -> None:
    rng = np.random.default_rng(1)
    for n_train, expected in ((3, []), (4, ["a"]), (6, ["a"]), (7, ["a", "b"]), (10, ["a", "b", "c"])):
        covariates = {name: rng.normal(size=(n_train, 4)) for name in "abcd"}
        assert chosen("pooled", n_train, **covariates) == expected


def test_only_what_varies_in_the_scope() -> None:
    target, source = np.tile(np.arange(4.0), (10, 1)), np.tile(np.arange(10.0)[:, None], (1, 4))
    assert chosen("pooled", target=target, source=source) == ["target", "source"]
    assert chosen("within_eval", target=target, source=source) == ["source"]
    assert chosen("double_centred", target=target, source=source) == []


def test_copies_and_gaps_are_passed_over() -> None:
    first = np.random.default_rng(2).normal(size=(10, 4))
    gap = first.copy()
    gap[0, 0] = np.nan
    constant = np.full((10, 4), 7.0)
    assert chosen("pooled", constant=constant, gap=gap, first=first, copy=3 * first + 1) == ["first"]

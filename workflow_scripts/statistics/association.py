"""One association of alignment with loss: correlation, interval, tests and power."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from workflow_scripts.statistics.correlation import Centring, Grid, correlation, ranks
from workflow_scripts.statistics.intervals import (
    FEWEST_FAMILIES,
    MOST_LEFT_OUT,
    correlation_interval,
    deleted_correlations,
)
from workflow_scripts.statistics.permutation import (
    arrangements,
    family_means,
    relabelled_correlations,
    two_sided_p,
)
from workflow_scripts.statistics.power import families_needed

NAN = float("nan")


@dataclass(frozen=True)
class Association:
    """A correlation, its interval, its tests and its sample sizes. `note` explains NaN."""

    value: float = NAN
    ci_low: float = NAN
    ci_high: float = NAN
    p_naive: float = NAN
    p_permutation: float = NAN
    p_smallest: float = NAN
    n_points: int = 0
    n_train: int = 0
    n_families: int = 0
    n_eval: int = 0
    families_needed: float = NAN
    families_needed_half: float = NAN
    without_family: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Values without each family, in the order of their first sets; NaN for a family without cells.

    None if there are so many families that they are left out in groups.
    """
    without_eval: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    note: str = ""

    def row(self) -> dict[str, Any]:
        """The columns of a table."""
        names = ("value", "ci_low", "ci_high", "p_permutation", "p_smallest")
        sizes = ("n_points", "n_train", "n_families", "n_eval")
        needed = ("families_needed", "families_needed_half", "note")
        return {name: getattr(self, name) for name in (*names, *sizes, *needed)}


@dataclass(frozen=True)
class Scope:
    """Which cells are compared and which main effects are removed first."""

    name: str
    centring: Centring
    cells: NDArray[np.bool_]


def associate(
    alignment: Grid,
    loss: Grid,
    scope: Scope,
    *,
    permutations: int | None,
    seed: int,
    covariates: Sequence[Grid] = (),
    rank: bool = False,
    families: NDArray[np.intp] | None = None,
) -> Association:
    """Correlation of two (training sets x evaluation sets) grids with NaN where a cell is missing.

    rank: Spearman's correlation, which is Pearson's of the ranks of the centred values. With covariates, the
    correlation is partial. permutations: random arrangements of the test; None for no test. families: the number of
    each training set's family, from 0. Families are the independent units of the test and the interval; without
    them, each set is its own family.
    """
    of_sets = np.arange(len(loss)) if families is None else families
    kept_alignment, kept_loss = _usable(alignment, loss, scope, covariates)
    present = kept_alignment & kept_loss
    rows, columns = np.atleast_1d(present.any(axis=1)), np.atleast_1d(present.any(axis=0))
    seen, own = np.unique(of_sets[rows], return_inverse=True)
    sizes: dict[str, Any] = {
        "n_points": int(present.sum()),
        "n_train": int(rows.sum()),
        "n_families": len(seen),
        "n_eval": int(columns.sum()),
    }
    if sizes["n_points"] < 3 or sizes["n_train"] < 2:
        return Association(**sizes, note="too few pairs of sets")
    degrees = _degrees(sizes, scope.centring, len(covariates))
    if degrees < 1:
        return Association(
            **sizes, note="too few pairs of sets for the effects and covariates that are removed"
        )
    block = np.ix_(rows, columns)
    x_weights, y_weights = kept_alignment[block].astype(float), kept_loss[block].astype(float)
    x = np.where(x_weights > 0, alignment[block], 0.0)
    y = np.where(y_weights > 0, loss[block], 0.0)
    controls = tuple(np.nan_to_num(covariate[block]) for covariate in covariates)
    weights = x_weights * y_weights

    centring = scope.centring
    value = float(
        correlation(ranks(x, weights, centring), ranks(y, weights, centring), weights, "pooled")
        if rank
        else correlation(x, y, weights, centring, controls)
    )
    if np.isnan(value):
        return Association(**sizes, note=_why_undefined(x, y, weights, centring))

    by_family, by_eval = deleted_correlations(x, y, weights, centring, controls, rank, own)
    described = {
        "value": value,
        "p_naive": _naive_p(value, degrees),
        **sizes,
        "without_family": _spread(by_family, np.isin(np.arange(of_sets.max() + 1), seen))
        if len(seen) <= MOST_LEFT_OUT
        else np.zeros(0),
        "without_eval": _spread(by_eval, columns),
    }
    if len(seen) < FEWEST_FAMILIES:
        return Association(**described, note=too_few(sizes["n_train"], len(seen)))

    low, high, about_interval = _interval(value, by_family, by_eval, sizes)
    if permutations is None:
        return Association(**described, ci_low=low, ci_high=high, note=about_interval)
    orders = arrangements(len(seen), permutations, seed)
    with warnings.catch_warnings():
        # An arrangement without variation is NaN on purpose; `two_sided_p` handles it.
        warnings.simplefilter("ignore", RuntimeWarning)
        relabelled = _relabelled((x, x_weights), (y, y_weights), controls, own, centring, orders.orders, rank)
    needed, about_power = _needed(value, relabelled, scope, sizes)
    return Association(
        **described,
        ci_low=low,
        ci_high=high,
        p_permutation=float(two_sided_p(relabelled)),
        p_smallest=orders.smallest_p,
        families_needed=needed[0],
        families_needed_half=needed[1],
        note="; ".join(filter(None, (about_interval, about_power))),
    )


def too_few(n_train: int, n_families: int) -> str:
    """Why there is only a correlation, and how many sets an interval would need."""
    related = (
        ""
        if n_families == n_train
        else f" in {n_families} independent famil{'y' if n_families == 1 else 'ies'}"
    )
    return (
        f"{n_train} training sets{related}: no interval and no p, which need {FEWEST_FAMILIES} independent families; "
        f"add {FEWEST_FAMILIES - n_families} training sets or more that share no text with these or each other"
    )


def _relabelled(
    alignment: tuple[Grid, Grid],
    loss: tuple[Grid, Grid],
    controls: Sequence[Grid],
    own: NDArray[np.intp],
    centring: Centring,
    orders: NDArray[np.intp],
    rank: bool,
) -> NDArray[np.float64]:
    """Correlations of family means under every order of the families; each side has the weights of its own cells."""
    (x, x_weights), (y, y_weights) = (family_means(*side, own) for side in (alignment, loss))
    covariates = [family_means(control, alignment[1], own)[0] for control in controls]
    if rank:
        x, y = ranks(x, x_weights, centring), ranks(y, y_weights, centring)
    scored: Centring = "pooled" if rank else centring
    return relabelled_correlations(x, y, x_weights, y_weights, scored, orders, covariates)


def _interval(
    value: float, by_family: NDArray[np.float64], by_eval: NDArray[np.float64], sizes: dict[str, Any]
) -> tuple[float, float, str]:
    """Ends of the interval, and a note about it."""
    low, high = (float(end) for end in correlation_interval(np.array(value), by_family, by_eval))
    if np.isnan(low):
        return NAN, NAN, "no interval: perfect or undefined once a set is left out"
    return low, high, "interval for this evaluation set only" if sizes["n_eval"] == 1 else ""


def _needed(
    value: float, relabelled: NDArray[np.float64], scope: Scope, sizes: dict[str, Any]
) -> tuple[list[float], str]:
    """Families needed for the observed value and for .5.

    The test does not test r pooled over several evaluation sets, so there is no power for it.
    """
    if scope.centring == "pooled" and sizes["n_eval"] > 1:
        return [NAN, NAN], "power is stated for the scopes within evaluation sets"
    return [families_needed(r, relabelled, sizes["n_families"]) for r in (value, 0.5)], ""


def _usable(
    alignment: Grid, loss: Grid, scope: Scope, covariates: Sequence[Grid]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Cells of either side that are used: a set whose only cell is its own mean has no information."""
    kept_alignment = scope.cells & np.isfinite(alignment)
    for covariate in covariates:
        kept_alignment = kept_alignment & np.isfinite(covariate)
    kept_loss = scope.cells & np.isfinite(loss)
    while scope.centring != "pooled":
        both = kept_alignment & kept_loss
        alone = both & (both.sum(axis=0, keepdims=True) == 1)
        if scope.centring == "double_centred":
            alone |= both & (both.sum(axis=1, keepdims=True) == 1)
        if not alone.any():
            break
        kept_alignment, kept_loss = kept_alignment & ~alone, kept_loss & ~alone
    both = kept_alignment & kept_loss
    rows, columns = both.any(axis=1, keepdims=True), both.any(axis=0, keepdims=True)
    return kept_alignment & rows & columns, kept_loss & rows & columns


def _why_undefined(x: Grid, y: Grid, weights: Grid, centring: Centring) -> str:
    """Which side has no variation left, by correlating each grid with itself."""
    for name, grid in (("alignment", x), ("loss", y)):
        if np.isnan(correlation(grid, grid, weights, centring)):
            return f"{name} is constant in this scope"
    return "nothing varies after the covariates are removed"


def _degrees(sizes: dict[str, Any], centring: Centring, n_covariates: int) -> int:
    """Degrees of freedom after the effects of the scope and the covariates, if pairs were independent."""
    n_train, n_eval = sizes["n_train"], sizes["n_eval"]
    effects = {"pooled": 1, "within_eval": n_eval, "double_centred": n_train + n_eval - 1}[centring]
    return int(sizes["n_points"] - effects - n_covariates - 1)


def _naive_p(r: float, degrees: int) -> float:
    """The textbook p, which treats every pair of sets as an independent observation."""
    return 0.0 if abs(r) >= 1 else float(2 * t.sf(abs(r) * np.sqrt(degrees / (1 - r * r)), degrees))


def _spread(values: NDArray[np.float64], places: NDArray[np.bool_]) -> NDArray[np.float64]:
    whole = np.full(places.shape, np.nan)
    whole[places] = values
    return whole

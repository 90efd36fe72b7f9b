"""How often do the tests of alignment against loss reject a true null, and how often do intervals contain the truth?

Run as `python -m benchmarks.statistics`. One JSON line for every world, size, share, scope and method:
`rejection` at 5%, `coverage` and mean `width` of 95% intervals for the correlation. Alignment and loss are
each the sum of an effect of the training set, an effect of the evaluation set (three times the spread of
the rest) and a rest; `share` is how much of the variance within evaluation sets belongs to training sets.
Worlds:

- `null`: alignment and loss are independent;
- `associated`: training-set effects and rests correlate at -.6, effects of evaluation sets do not;
- `differing_slopes`: the slope of loss on alignment differs between evaluation sets, and its mean is 0.

Methods, ours first: `ours` (training sets relabelled jointly; two-way jackknife on Fisher's z),
`ours_spearman`, `percentile_bootstrap` (training and evaluation sets resampled), `train_sets_alone`
(jackknife over training sets), `permute_within_sets` (losses permuted inside each evaluation set), `naive`
(every pair of sets treated as an independent point). `metric_difference` is our interval for the difference
of two equally good metrics.

`--part related` is about training sets that are made from each other, with the families of every config of the
repository (`benchmarks/related_sets.py`): `design, scope, method, rejects` (a true null, at 5%), `covers`
(the worse of both worlds) and `power` (to detect -.6). Its methods: `families` (ours: means of families relabelled,
families left out), `families_spearman`, `sets` (all training sets treated as independent). Null: not available.

`--part choice` is about the mean regret of choosing training data (`benchmarks/choosing.py`): coverage of our
interval and of a t interval, for metrics of more and less skill; and of the jackknife's interval of Kendall's tau.

`--part prediction` is about losses predicted with sets left out (`benchmarks/predicting.py`): coverage of the intervals
of R2, of the mean error and of the effect. `--part tau` is about the agreement of two rankings over batches
(`benchmarks/agreement.py`).

Exits with code 1 if under the null ours rejects more than 6.5%, or covers less than 92% in any world.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from benchmarks import agreement, choosing, predicting, related_sets
from workflow_scripts.command_line import parser_for, set_threads
from workflow_scripts.statistics.association import Association, Scope, associate
from workflow_scripts.statistics.correlation import CENTRINGS, Centring, Grid, correlation
from workflow_scripts.statistics.differences import metric_differences
from workflow_scripts.statistics.experiments import Experiment, Panel
from workflow_scripts.statistics.intervals import correlation_interval, deleted_correlations
from workflow_scripts.statistics.permutation import two_sided_p
from workflow_scripts.statistics.resampling import cluster_resamples

WORLDS = ("null", "associated", "differing_slopes")
SIZES = ((6, 8), (8, 12))
SHARES = (0.3, 0.6)
BETWEEN_EVAL, TRUE_R = 3.0, -0.6
MOST_REJECTION, LEAST_COVERAGE = 0.065, 0.92
OURS = ("ours", "ours_spearman", "metric_difference")
Result = tuple[float, float, float]
"""p (NaN if a method is no test) and the ends of an interval (NaN if it has none)."""


def world(
    rng: np.random.Generator, name: str, size: tuple[int, int], share: float
) -> tuple[Grid, Grid, Grid]:
    """Alignment by two metrics that are equally good, and loss, of one simulated study."""
    n_train, n_eval = size
    r = TRUE_R if name == "associated" else 0.0
    layers = []
    for shape, part in (((n_train, 1), share), ((n_train, n_eval), 1 - share)):
        draws = rng.normal(size=(3, *shape))
        draws[:2] = r * draws[2] + np.sqrt(1 - r * r) * draws[:2]
        layers.append(np.sqrt(part) * draws)
    first, second, loss = layers[0] + layers[1] + BETWEEN_EVAL * rng.normal(size=(3, 1, n_eval))
    if name == "differing_slopes":
        loss = loss + 0.7 * rng.normal(size=(1, n_eval)) * first
    return first, second, loss


def truth(name: str, centring: Centring, method: str) -> float:
    """The statistic over infinitely many sets."""
    if name != "associated" or method == "metric_difference":
        return 0.0
    r = TRUE_R / (1 + BETWEEN_EVAL**2) if centring == "pooled" else TRUE_R
    return 6 / np.pi * np.arcsin(r / 2) if method == "ours_spearman" else r


def competitors(
    rng: np.random.Generator, alignment: Grid, loss: Grid, centring: Centring
) -> dict[str, Result]:
    """Alternative methods on the same numbers."""
    ones = np.ones(alignment.shape)
    drawn = cluster_resamples(loss[None], 400, int(rng.integers(2**31)))
    low, high = np.nanpercentile(correlation(alignment, loss, drawn.weights, centring), [2.5, 97.5])
    by_train, _ = deleted_correlations(alignment, loss, ones, centring)
    alone = correlation_interval(correlation(alignment, loss, ones, centring), by_train, np.zeros(0))
    columns = rng.permuted(np.broadcast_to(loss, (200, *loss.shape)), axis=1)
    columns[0] = loss
    return {
        "percentile_bootstrap": (np.nan, low, high),
        "train_sets_alone": (np.nan, float(alone[0]), float(alone[1])),
        "permute_within_sets": (
            float(two_sided_p(correlation(alignment, columns, ones, centring))),
            np.nan,
            np.nan,
        ),
    }


def naive(found: Association) -> Result:
    """Textbook p and Fisher's interval, as if every pair of sets were a separate observation."""
    half = 1.96 / np.sqrt(found.n_points - 3)
    z = np.arctanh(found.value)
    return found.p_naive, float(np.tanh(z - half)), float(np.tanh(z + half))


def difference(first: Grid, second: Grid, loss: Grid, scope: Scope) -> Result:
    """Our interval for the difference of the two metrics."""
    train_sets, eval_sets = (tuple(map(str, range(n))) for n in loss.shape)
    panel = Panel(
        experiment=Experiment("simulated", "pretraining", train_sets, eval_sets),
        part="whole",
        tokens=1,
        train_sets=train_sets,
        eval_sets=eval_sets,
        losses=loss[None],
        alignments={"first": first, "second": second},
        in_domain=np.zeros(loss.shape, bool),
        note="",
    )
    (row,) = metric_differences(panel, [scope])
    return np.nan, row["ci_low"], row["ci_high"]


def study(
    rng: np.random.Generator, name: str, size: tuple[int, int], share: float, full: bool
) -> Iterator[tuple[Centring, str, Result]]:
    """(scope, method, result) on one simulated study; slow methods only in full studies."""
    first, second, loss = world(rng, name, size, share)
    seed = int(rng.integers(2**31))
    for centring in CENTRINGS:
        scope = Scope(centring, centring, np.ones(size, bool))
        found, spearman = (
            associate(first, loss, scope, permutations=999, seed=seed, rank=rank) for rank in (False, True)
        )
        yield centring, "ours", (found.p_permutation, found.ci_low, found.ci_high)
        yield centring, "ours_spearman", (spearman.p_permutation, spearman.ci_low, spearman.ci_high)
        yield centring, "naive", naive(found)
        if full and name != "differing_slopes":
            yield centring, "metric_difference", difference(first, second, loss, scope)
        if full:
            for method, result in competitors(rng, first, loss, centring).items():
                yield centring, method, result


def summary(results: list[Result], value: float) -> dict[str, Any]:
    """Rejection, coverage and width, null where a method does not have them."""
    p, low, high = np.array(results).T
    tested, bounded = np.isfinite(p).any(), np.isfinite(low).any()
    return {
        "simulations": len(results),
        "rejection": round(float((p <= 0.05).mean()), 4) if tested else None,
        "coverage": round(float(((low <= value) & (value <= high)).mean()), 4) if bounded else None,
        "width": round(float(np.nanmean(high - low)), 3) if bounded else None,
    }


def lines(simulations: int, fewer: int, seed: int) -> Iterator[dict[str, Any]]:
    """One line per world, size, share, scope and method."""
    for name, size, share in product(WORLDS, SIZES, SHARES):
        rng = np.random.default_rng([seed, WORLDS.index(name), *size, int(100 * share)])
        gathered = defaultdict(list)
        for index in range(simulations if name == "null" else fewer):
            for centring, method, result in study(rng, name, size, share, index < fewer):
                gathered[centring, method].append(result)
        for (centring, method), results in gathered.items():
            case = {"world": name, "train": size[0], "eval": size[1], "share": share, "scope": centring}
            yield {**case, "method": method, **summary(results, truth(name, centring, method))}


def failed(line: dict[str, Any]) -> bool:
    """Whether one of our methods misses its guaranteed rate."""
    if line["method"] in (choosing.OURS, choosing.TAU, "tau"):
        return bool(line["covers"] < LEAST_COVERAGE)
    if line.get("scope") == "regret":
        return False
    if line["method"] == "predictions":
        return min(line[f"covers_{what}"] for what in ("r2", "error", "effect")) < LEAST_COVERAGE
    if "rejects" in line:
        of_ours = line["method"] in related_sets.OURS
        return of_ours and ((line["rejects"] or 0) > MOST_REJECTION or (line["covers"] or 1) < LEAST_COVERAGE)
    if line["method"] not in OURS:
        return False
    rejects = line["world"] == "null" and line["rejection"] is not None and line["rejection"] > MOST_REJECTION
    return rejects or line["coverage"] < LEAST_COVERAGE


def related_lines(simulations: int, fewer: int, seed: int) -> Iterator[dict[str, Any]]:
    return related_sets.lines(related_sets.shipped_designs(), simulations, fewer, seed)


def choice_lines(simulations: int, fewer: int, seed: int) -> Iterator[dict[str, Any]]:
    return choosing.lines(fewer, seed)


def prediction_lines(simulations: int, fewer: int, seed: int) -> Iterator[dict[str, Any]]:
    return predicting.lines(fewer, seed)


def tau_lines(simulations: int, fewer: int, seed: int) -> Iterator[dict[str, Any]]:
    return agreement.lines(fewer, seed)


PARTS = {
    "independent": lines,
    "related": related_lines,
    "choice": choice_lines,
    "prediction": prediction_lines,
    "tau": tau_lines,
}


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--simulations", type=int, default=2_000, help="studies per case under the null")
    parser.add_argument(
        "--fewer", type=int, default=400, help="studies for other worlds and slow competitors"
    )
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all", help="which studies to simulate")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    set_threads(1)
    broken = False
    for part in PARTS if arguments.part == "all" else [arguments.part]:
        for line in PARTS[part](arguments.simulations, arguments.fewer, arguments.seed):
            print(json.dumps(line), flush=True)
            broken = broken or failed(line)
    raise SystemExit(int(broken))


if __name__ == "__main__":
    main()

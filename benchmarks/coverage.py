"""How often do intervals for a mean over batch pairs contain the truth, and how wide are they?

Run as `python -m benchmarks.coverage`. One JSON line for every case, number of batches and method:
`coverage` and `width` of 95% intervals over simulated tables. The entry of source batch i and target batch
j is mean + source effect i + target effect j + pair effect ij. For a set with itself, batches have one
effect, and the pair effect is symmetric. Methods:

- `two_way`: ours (workflow_scripts.metrics.intervals), t with batches as the random draws;
- `percentile_bootstrap`: batches of both sides resampled, the 2.5 and 97.5% points of the means;
- `independent_pairs`: the released one, t with every pair as a separate draw.

Exits with code 1 if ours covers less than 92% anywhere.
"""

import json
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from scipy import stats

from workflow_scripts.command_line import parser_for
from workflow_scripts.metrics.intervals import Estimate, between_sets, within_set

OURS = "two_way"
LEAST_COVERAGE = 0.92
BATCHES = (4, 8, 16)
# Standard deviations of source, target and pair effects.
EFFECTS = {
    "equal": (1.0, 1.0, 1.0),
    "source_only": (1.0, 0.0, 0.0),
    "source_over_target": (3.0, 1.0, 0.5),
    "pairs_over_batches": (0.3, 0.3, 2.0),
}
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
# Both of mean 0 and variance 1; self-similarity is skewed in practice, because a few batches are odd.
SHAPES: dict[str, Draw] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "skewed": lambda rng, size: (rng.chisquare(8, size=size) - 8) / 4,
}


def between_table(rng: np.random.Generator, draw: Draw, effects: Sequence[float], n: int) -> np.ndarray:
    """Two sets of n batches each; the true mean is 0."""
    source, target, pair = effects
    return source * draw(rng, (n, 1)) + target * draw(rng, (1, n)) + pair * draw(rng, (n, n))


def within_table(rng: np.random.Generator, draw: Draw, effects: Sequence[float], n: int) -> np.ndarray:
    """One set of n batches against itself; the true mean of different batches is 0."""
    batch, _, pair = effects
    effect, pairs = batch * draw(rng, (n, 1)), pair * draw(rng, (n, n))
    upper = np.triu(pairs, 1)
    return effect + effect.T + upper + upper.T


def percentile_bootstrap(
    rng: np.random.Generator, table: np.ndarray, of_one_set: bool, resamples: int
) -> Estimate:
    """Batches resampled with replacement; for one set, the same draw on both sides without the diagonal."""
    n = len(table)
    rows = rng.integers(n, size=(resamples, n))
    columns = rows if of_one_set else rng.integers(n, size=(resamples, n))
    drawn = table[rows[:, :, None], columns[:, None, :]]
    if of_one_set:
        different = rows[:, :, None] != columns[:, None, :]
        pairs = different.sum(axis=(1, 2))
        drawn, pairs, different = drawn[pairs > 0], pairs[pairs > 0], different[pairs > 0]
        means = (drawn * different).sum(axis=(1, 2)) / pairs
    else:
        means = drawn.mean(axis=(1, 2))
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(float(means.mean()), float(low), float(high))


def independent_pairs(table: np.ndarray, of_one_set: bool) -> Estimate:
    """The released interval: every entry of the table counts as a draw."""
    values = table[np.triu_indices(len(table), 1)] if of_one_set else table.ravel()
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    return Estimate(float(values.mean()), float(low), float(high))


def intervals(
    rng: np.random.Generator, table: np.ndarray, of_one_set: bool, resamples: int
) -> dict[str, Estimate]:
    """The interval of each method for one table."""
    return {
        OURS: within_set(table) if of_one_set else between_sets(table),
        "percentile_bootstrap": percentile_bootstrap(rng, table, of_one_set, resamples),
        "independent_pairs": independent_pairs(table, of_one_set),
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--tables", type=int, default=2000, help="simulated per case and number of batches")
    parser.add_argument("--resamples", type=int, default=400, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)

    worst = 1.0
    for compared, effects, shape, n in product(("between_sets", "within_set"), EFFECTS, SHAPES, BATCHES):
        of_one_set = compared == "within_set"
        if of_one_set and effects == "source_over_target":
            continue  # one set has no second effect
        simulate = within_table if of_one_set else between_table
        rng = np.random.default_rng(arguments.seed)
        results: dict[str, list[tuple[bool, float]]] = {}
        for _ in range(arguments.tables):
            table = simulate(rng, SHAPES[shape], EFFECTS[effects], n)
            for method, found in intervals(rng, table, of_one_set, arguments.resamples).items():
                results.setdefault(method, []).append((found.low <= 0 <= found.high, found.high - found.low))
        for method, pairs in results.items():
            coverage, width = (round(float(mean), 4) for mean in np.mean(pairs, axis=0))
            case = {"compared": compared, "effects": effects, "shape": shape, "batches": n, "method": method}
            print(
                json.dumps(case | {"coverage": coverage, "width": width, "tables": arguments.tables}),
                flush=True,
            )
            worst = min(worst, coverage) if method == OURS else worst
    print(json.dumps({"worst_coverage_of_ours": worst, "gate": LEAST_COVERAGE}))
    if worst < LEAST_COVERAGE:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

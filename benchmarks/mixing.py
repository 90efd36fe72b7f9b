"""Are shares chosen by effective tokens good on RegMix's runs? `python -m benchmarks.mixing`, from a checkout.

It reads docs/results/regmix and published/regmix, but no text. Measure: n-gram cross-entropy with the root kernel and
the recorded tau, chosen on 512 models of 1M parameters. It studies 256 models of 60M and 64 of 1B. One JSON line each:

`--part choices`: the trained mixture with the most effective tokens, compared with other rules, for all 13 targets,
each target, and random subsets of 2 to 5 (see `benchmarks/mixture_choices.py`), and again among mixtures without the
targets' own parts. `effective_tokens_unnamed` is what the command computes: it does not know which part is a
target's own, and uses the shipped constants (`choosing/worth.py`).
`--part free`: the shares that the optimiser proposes for all 13 targets, their distance from any trained mixture, and
the predictions of a law and a regression fitted to all runs. This is extrapolation.
`--part intervals`: how often the 95% interval of the predicted gain of the chosen mixture over another one contains
the real difference of losses.
`--part slopes`: the slope of the law by model size.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.mixture_choices import WITHOUT_OWN, lines, outcomes, target_sets
from benchmarks.regmix import METRIC, PROXIES, RegMix, read_regmix
from workflow_scripts.choosing.allocation import Planner
from workflow_scripts.choosing.gains import ENDS, UncertainSlope
from workflow_scripts.choosing.limits import Limits
from workflow_scripts.choosing.worth import constants_of, worths_of
from workflow_scripts.command_line import parser_for, set_threads
from workflow_scripts.outside.predictors import Fitted, boosting_fit, from_proxies, linear_fit
from workflow_scripts.statistics.effective_tokens import (
    Runs,
    own_share_score,
    score,
)
from workflow_scripts.statistics.token_law import Law, Prior, fit_law

Array = NDArray[np.float64]
STUDIED = ("regmix_60m", "regmix_1b")
OURS, OWN = "effective_tokens", "own_share"
REGRESSIONS = {"linear": linear_fit, "boosting": boosting_fit}
PROXY_COUNTS, PROXY_DRAWS = (16, 64, 512), 20
SUBSETS, SUBSET_SIZES = 1_000, (2, 5)
# Below this standard error of a log worth, the losses determine it more than the prior does.
WELL_KNOWN = 0.5
SEED = 0


def rules(regmix: RegMix, threads: int) -> dict[str, dict[str, Array]]:
    """Scores of each rule, (draws, mixtures, targets), by experiment."""
    found: dict[str, dict[str, Array]] = {}
    for name in STUDIED:
        runs = regmix.runs[name]
        found[name] = {
            OURS: score(runs, regmix.worth)[None],
            "effective_tokens_unnamed": score(runs, regmix.unnamed_worth)[None],
            OWN: own_share_score(runs)[None],
        }
        for rule, values in blind_to_targets(regmix, runs).items():
            found[name][rule] = np.repeat(values[None, :, None], len(runs.targets), axis=2)
    studied = [regmix.runs[name] for name in STUDIED]
    for regression, fit in REGRESSIONS.items():
        for count in PROXY_COUNTS:
            learned = from_proxies(
                Fitted(regression, "regression", fit),
                regmix.runs[PROXIES],
                studied,
                count,
                PROXY_DRAWS,
                SEED,
                threads,
            )
            for name, prediction in zip(STUDIED, learned, strict=True):
                found[name][f"{regression}_{count}"] = prediction.scores
    return found


def blind_to_targets(regmix: RegMix, runs: Runs) -> dict[str, Array]:
    """Scores of mixtures by rules that choose the same one whatever the targets are."""
    logs = np.log(np.where(runs.shares > 0, runs.shares, 1.0))
    return {
        "most_uniform": -(runs.shares * logs).sum(axis=1),
        "nearest_to_pile": -distance(runs.shares, regmix.natural),
    }


def distance(shares: Array, other: Array) -> Array:
    """Total variation: the share that differs."""
    return np.abs(shares - other).sum(axis=-1) / 2


def choice_lines(regmix: RegMix, resamples: int, threads: int) -> Iterator[dict[str, Any]]:
    for name, scores in rules(regmix, threads).items():
        runs = regmix.runs[name]
        for sets in target_sets(runs.own_shares, SUBSETS, SUBSET_SIZES, SEED):
            # If all own shares are zero, this rule cannot choose.
            able = {
                rule: one
                for rule, one in scores.items()
                if rule != OWN or not sets.name.endswith(WITHOUT_OWN)
            }
            found = outcomes(able, runs.losses, sets, resamples, SEED)
            for line in lines(found, OURS, sets):
                yield {"model": regmix.models[name], **line}


def free_lines(regmix: RegMix) -> Iterator[dict[str, Any]]:
    """The optimiser's shares, predicted losses of these and of the best real mixture."""
    n = len(regmix.parts)
    weights = np.full(len(regmix.targets), 1 / len(regmix.targets))
    plenty = Limits(regmix.parts, np.full(n, 1e12), 10**9, 1.0, np.zeros(n))
    proposed = Planner(plenty, weights).best(regmix.worth).shares
    for name in STUDIED:
        runs = regmix.runs[name]
        means = runs.losses.mean(axis=1)
        best, far = int(np.argmin(means)), distance(runs.shares, proposed)
        candidates = {"proposed": proposed, "best_real": runs.shares[best], "uniform": np.full(n, 1 / n)}
        candidates["pile"] = regmix.natural
        shares, tokens = np.array(list(candidates.values())), np.full(len(candidates), runs.tokens[0])
        laws = [law.predict(shares, tokens)[0] for law in fitted_laws(regmix, runs, Prior())]
        boosted = [boosting_fit(runs, shares, tokens, j) for j in range(len(runs.targets))]
        yield {
            "model": regmix.models[name],
            "shares": {part: round(float(x), 3) for part, x in zip(regmix.parts, proposed, strict=True)},
            "moved_from_nearest": round(float(far.min()), 3),
            "rank_of_nearest": int((means < means[np.argmin(far)]).sum()) + 1,
            "moved_between_nearest_mixtures": round(_typical_distance(runs), 3),
            "loss_of_best_real": round(float(means[best]), 4),
            "law": dict(zip(candidates, np.mean(laws, axis=0).round(4).tolist(), strict=True)),
            "boosting": dict(zip(candidates, np.mean(boosted, axis=0).round(4).tolist(), strict=True)),
        }


def interval_lines(regmix: RegMix, draws: int) -> Iterator[dict[str, Any]]:
    """Coverage of the interval of the gain over the most uniform mixture and the one nearest to the Pile.

    Uses the constants of the command; for comparison, also without the uncertainty of the constants, and without that
    of the slope.
    """
    shipped, spread_of_slope = constants_of(METRIC), spread_of_slopes(regmix)
    for constants, slope_sd in (
        (shipped, spread_of_slope),
        (replace(shipped, scatter=0.0), spread_of_slope),
        (shipped, 0.0),
    ):
        worths = worths_of(regmix.alignment, regmix.parts, regmix.targets, constants, draws, SEED)
        for name in STUDIED:
            runs = regmix.runs[name]
            slope = UncertainSlope(_median_slope(regmix, runs), slope_sd)
            nats = slope.drawn(draws, len(runs.targets), SEED)[:, None] * np.log(runs.shares @ worths.drawn)
            for sets in target_sets(runs.own_shares, SUBSETS, SUBSET_SIZES, SEED)[:3]:
                loss, scores = runs.losses @ sets.weights, score(runs, regmix.unnamed_worth) @ sets.weights
                chosen, columns = np.argmax(scores, axis=0), np.arange(len(sets.members))
                for against, values in blind_to_targets(regmix, runs).items():
                    other = int(np.argmax(values))
                    gain = np.einsum("bsj,js->bs", nats[:, chosen] - nats[:, [other]], sets.weights)
                    low, high = np.quantile(gain, ENDS, axis=0)
                    real = loss[other] - loss[chosen, columns]
                    expected = slope.value * (scores[chosen, columns] - scores[other])
                    yield {
                        "model": regmix.models[name],
                        "sets": sets.name,
                        "against": against,
                        "scatter": constants.scatter,
                        "log_slope_sd": round(slope.log_sd, 2),
                        "predicted": round(float(expected.mean()), 3),
                        "real": round(float(real.mean()), 3),
                        "width": round(float((high - low).mean()), 3),
                        "coverage": round(float(((low <= real) & (real <= high)).mean()), 3),
                    }


def slope_lines(regmix: RegMix) -> Iterator[dict[str, Any]]:
    """Slopes of the law at each size, which convert effective tokens into nats."""
    for name, runs in regmix.runs.items():
        slopes = np.array([law.slope for law in fitted_laws(regmix, runs, Prior())])
        yield {
            "experiment": name,
            "model": regmix.models[name],
            "runs": len(runs.losses),
            "slope": round(float(np.median(slopes)), 3),
            "slope_of_targets": [round(float(slopes.min()), 3), round(float(slopes.max()), 3)],
            "log_slope_sd": round(float(np.std(np.log(slopes), ddof=1)), 2),
        }


def spread_of_slopes(regmix: RegMix) -> float:
    """Standard deviation of log slope over targets, at the size where they differ most."""
    slopes = [
        np.log([law.slope for law in fitted_laws(regmix, regmix.runs[name], Prior())])
        for name in (PROXIES, *STUDIED)
    ]
    return float(np.std(slopes, axis=1, ddof=1).max())


def fitted_laws(regmix: RegMix, runs: Runs, prior: Prior) -> list[Law]:
    """The law of each target, fitted to all runs, with the text's worths as its prior."""
    return [
        fit_law(runs.shares, runs.tokens, runs.losses[:, j], regmix.worth[:, j], runs.own_part(target), prior)
        for j, target in enumerate(runs.targets)
    ]


def _median_slope(regmix: RegMix, runs: Runs) -> float:
    """Median slope of the targets' laws, fitted to all runs."""
    return float(np.median([law.slope for law in fitted_laws(regmix, runs, Prior())]))


def _typical_distance(runs: Runs) -> float:
    """Median over mixtures of the distance to the nearest other one."""
    apart = distance(runs.shares[:, None], runs.shares[None])
    np.fill_diagonal(apart, np.inf)
    return float(np.median(apart.min(axis=1)))


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--part", choices=("choices", "free", "intervals", "slopes"), help="one of them")
    parser.add_argument("--resamples", type=int, default=1_000, help="resamples of mixtures and targets")
    parser.add_argument("--draws", type=int, default=1_000, help="draws of worths, for intervals of gains")
    parser.add_argument("--threads", type=int, default=2, help="processes that fit regressions")
    arguments = parser.parse_args()
    set_threads(1)
    regmix = read_regmix()
    parts = {
        "choices": lambda: choice_lines(regmix, arguments.resamples, arguments.threads),
        "free": lambda: free_lines(regmix),
        "intervals": lambda: interval_lines(regmix, arguments.draws),
        "slopes": lambda: slope_lines(regmix),
    }
    for part in [arguments.part] if arguments.part else list(parts):
        for line in parts[part]():
            print(json.dumps({"part": part, **line}), flush=True)


if __name__ == "__main__":
    main()

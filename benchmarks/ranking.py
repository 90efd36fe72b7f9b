"""Does `rank` choose well, and do its intervals cover the truth? Tests on recorded runs, leaving out one target each.

    python -m benchmarks.ranking           one JSON line per study, measure and way of finding the constants
    python -m benchmarks.ranking --write   also write the constants of every measure (choosing/worth.csv)
    python -m benchmarks.ranking --short-runs   how far worths by short runs are from those by longer ones

Three studies (docs/results/). A candidate's true effective tokens, relative to the others, come from losses; intervals
should cover them.

own       pre-training runs of `real` (.5M parameters). Candidates: training sets, none made from another one.
          Truth from the slope of the best candidate's loss over its budgets.
mixtures  RegMix, 256 mixtures at 60M and 64 at 1B parameters. Truth from a law fitted to the losses of that size.
parts     RegMix, the 17 parts of the 256 mixtures at 60M: k of the same law, with a flat prior, because the truth must
          not use alignment. Repeated without the target's own part, only for evaluation.

Constants come from the other targets of the study, from only the other studies, or are the shipped ones.
"""

import argparse
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from workflow_scripts.choosing.verification import read_short_runs
from workflow_scripts.choosing.worth import (
    CONSTANTS,
    Array,
    Constants,
    drawn_log_worth,
    log_worth,
    standard_error,
)
from workflow_scripts.outside.runs import gaps_of, runs_of
from workflow_scripts.outside.tables import read
from workflow_scripts.statistics.effective_tokens import Runs, flat_worth
from workflow_scripts.statistics.token_law import fit_law
from workflow_scripts.storage.tables import read_plain_json
from workflow_scripts.tokens.parts import of_whole

RESULTS = Path("docs/results")
INDEPENDENT = ("hackernews", "pubmed", "uspto", "wikipedia")
OWN_EXPERIMENTS = ("pretraining", "pretraining_larger")
MIXTURE_EXPERIMENTS = ("regmix_60m", "regmix_1b")
PART_EXPERIMENT = "regmix_60m"
FLAT_WORTH = 0.02
WITHOUT_OWN = "parts_without_own"
KERNEL = "root"
TAU_GRID = np.exp(np.linspace(np.log(2e-5), np.log(5), 100))
DRAWS = 2000


@dataclass(frozen=True)
class Case:
    """One target of one experiment: a candidate has an alignment, its error, and the log of its tokens' worth."""

    study: str
    experiment: str
    target: str
    alignments: Array
    errors: Array
    truth: Array
    losses: Array


def cases_of(study: str, metric: str) -> list[Case]:
    if study == WITHOUT_OWN:
        return [_without_own_part(case) for case in _part_cases(metric)]
    return list({"own": _own_cases, "mixtures": _mixture_cases, "parts": _part_cases}[study](metric))


def _without_own_part(case: Case) -> Case:
    """The case without the target's own part, whose k is 1, the largest."""
    kept = np.arange(len(case.truth)) != case.truth.argmax()
    arrays = (case.alignments, case.errors, case.truth, case.losses)
    return Case(WITHOUT_OWN, case.experiment, case.target, *(one[kept] for one in arrays))


def _own_cases(metric: str) -> Iterator[Case]:
    losses = pd.read_parquet(RESULTS / "real/losses/loss_summary.parquet")
    alignment = _alignment("real", metric)
    for experiment in OWN_EXPERIMENTS:
        rows = losses[(losses["experiment"] == experiment) & (losses["part"] == "whole")]
        rows = rows[rows["train_set"].isin(INDEPENDENT)]
        for target, own in rows.groupby("eval_set"):
            curves = own.groupby(["train_set", "tokens"])["loss"].mean().unstack("tokens")
            last = curves.iloc[:, -1]
            best = curves.loc[last.idxmin()]
            slope = np.polyfit(np.log(curves.columns.to_numpy(dtype=float)), best.to_numpy(), 1)[0]
            own_alignment = alignment.loc[[(f"{name}.train", f"{target}.eval") for name in curves.index]]
            yield Case(
                "own",
                experiment,
                str(target),
                own_alignment["alignment"].to_numpy(),
                own_alignment["error"].to_numpy(),
                (last - last.min()).to_numpy() / slope,
                last.to_numpy(),
            )


def _regmix_runs(experiment: str) -> Runs:
    config = read_plain_json(RESULTS / "regmix/config.json")
    entry = next(entry for entry in config["experiments"] if entry["name"] == experiment)
    tables = read(entry["losses"], entry["mixtures"], entry["parts"], entry["eval_sets"], entry["model"])
    return runs_of(tables.losses, tables.shares, entry["parts"], entry["eval_sets"])


def _part_cases(metric: str) -> Iterator[Case]:
    alignment = _alignment("regmix", metric)
    runs = _regmix_runs(PART_EXPERIMENT)
    for j, target in enumerate(runs.targets):
        own = runs.own_part(target)
        law = fit_law(runs.shares, runs.tokens, runs.losses[:, j], flat_worth(runs, FLAT_WORTH)[:, j], own)
        rows = alignment.loc[[(f"{part}.train", f"{target}.eval") for part in runs.parts]]
        truth = np.log(law.worth)
        yield Case(
            "parts",
            PART_EXPERIMENT,
            target,
            rows["alignment"].to_numpy(),
            rows["error"].to_numpy(),
            truth,
            -law.slope * truth,
        )


def _mixture_cases(metric: str) -> Iterator[Case]:
    mixed = pd.read_parquet(RESULTS / f"regmix/alignment/mixtures/{metric}.parquet")
    mixed = mixed.set_index(["train_set", "eval_set"])["alignment"]
    parts = of_whole(pd.read_parquet(RESULTS / "regmix/alignment/alignment.parquet"))
    parts = parts[parts["metric"] == metric]
    # No errors are recorded for mixtures; their batches have as many rows as those of the parts.
    error = float(np.median(standard_error(parts["ci_low"], parts["ci_high"])))
    for experiment in MIXTURE_EXPERIMENTS:
        runs = _regmix_runs(experiment)
        prior = gaps_of(parts, runs.parts, runs.targets).worth(KERNEL, _regmix_tau(metric))
        for j, target in enumerate(runs.targets):
            own = mixed.loc[[(name, target) for name in runs.train_sets]]
            yield Case(
                "mixtures",
                experiment,
                target,
                own.to_numpy(),
                np.full(len(own), error),
                _log_effective(runs, prior[:, j], j),
                runs.losses[:, j],
            )


def _log_effective(runs: Runs, prior: Array, j: int) -> Array:
    """log E from losses, by the law fitted to all of them: log E = log(exp((c - loss) / b) - e)."""
    law = fit_law(runs.shares, runs.tokens, runs.losses[:, j], prior, runs.own_part(runs.targets[j]))
    known = np.exp((law.level - runs.losses[:, j]) / law.slope)
    smallest = ((runs.shares @ law.worth) * (runs.tokens / law.unit)).min()
    return np.log(np.maximum(known - law.base, smallest))


def _regmix_tau(metric: str) -> float:
    worth = pd.read_parquet(RESULTS / "regmix/analysis/token_worth.parquet")
    return float(worth.loc[(worth["metric"] == metric) & (worth["kernel"] == KERNEL), "tau"].iloc[0])


def _alignment(run: str, metric: str) -> pd.DataFrame:
    table = of_whole(pd.read_parquet(RESULTS / run / "alignment/alignment.parquet"))
    table = table[table["metric"] == metric]
    table = table.assign(error=standard_error(table["ci_low"], table["ci_high"]))
    return table.set_index(["source", "target"])


def fitted(cases: Sequence[Case]) -> Constants:
    """tau with the least scatter of log worth about the truth, and that scatter; each case has its own level."""
    scatters = [np.sqrt(np.mean([_misfit(case, tau) for case in cases])) for tau in TAU_GRID]
    best = int(np.argmin(scatters))
    return Constants(float(TAU_GRID[best]), 0.0, float(scatters[best]))


def _misfit(case: Case, tau: float) -> float:
    left = log_worth(case.alignments, tau) - case.truth
    return float(np.var(left) * len(left) / (len(left) - 1))


def shared(constants: Sequence[Constants]) -> Constants:
    """Of several studies: geometric mean of tau, its spread between studies, root of the mean square scatter."""
    logs = np.log([one.tau for one in constants])
    scatter = np.sqrt(np.mean([one.scatter**2 for one in constants]))
    spread = float(np.std(logs, ddof=1)) if len(logs) > 1 else 0.0
    return Constants(float(np.exp(logs.mean())), spread, float(scatter))


def judged(cases: Sequence[Case], constants: Mapping[str, Constants]) -> dict[str, float]:
    """Means over cases of the quality of choices by alignment, and coverage of intervals; constants by target."""
    rows = []
    for case in cases:
        chosen = int(case.alignments.argmax())
        draws = drawn_log_worth(case.alignments, case.errors, constants[case.target], DRAWS, 0)
        draws = draws - draws.mean(axis=1, keepdims=True)
        truth = case.truth - case.truth.mean()
        rows.append(
            {
                "spearman": spearmanr(case.alignments, -case.losses)[0],
                "top1": float(case.losses[chosen] == case.losses.min()),
                "regret": case.losses[chosen] - case.losses.min(),
                "regret_of_chance": case.losses.mean() - case.losses.min(),
                **{
                    f"coverage_{level}": np.mean(
                        np.abs(truth - np.median(draws, axis=0)) <= _half_width(draws, level)
                    )
                    for level in (80, 95)
                },
            }
        )
    return {key: float(value) for key, value in pd.DataFrame(rows).mean().items()}


def _half_width(draws: Array, level: int) -> Array:
    tail = (1 - level / 100) / 2
    low, high = np.quantile(draws, (tail, 1 - tail), axis=0)
    return (high - low) / 2


def studies_of(metric: str) -> dict[str, list[Case]]:
    """The studies in which the measure was recorded."""
    recorded = {
        run: set(pd.read_parquet(RESULTS / run / "alignment/alignment.parquet", columns=["metric"])["metric"])
        for run in ("real", "regmix")
    }
    names = [*(["own"] if metric in recorded["real"] else []), "mixtures", "parts", WITHOUT_OWN]
    return {name: cases_of(name, metric) for name in names}


def ways_to_constants(studies: Mapping[str, list[Case]], name: str) -> dict[str, dict[str, Constants]]:
    """Constants for each target of a study: way -> target -> constants."""
    cases = studies[name]
    targets = {case.target for case in cases}
    others = shared([fitted(other) for study, other in studies.items() if study not in (name, WITHOUT_OWN)])
    return {
        "other_targets": {
            target: fitted([case for case in cases if case.target != target]) for target in targets
        },
        "other_studies": dict.fromkeys(targets, others),
        "shipped": dict.fromkeys(targets, of_all(studies)),
    }


def of_all(studies: Mapping[str, list[Case]]) -> Constants:
    """The shipped constants."""
    return shared([fitted(cases) for name, cases in studies.items() if name != WITHOUT_OWN])


def short_run_lines() -> Iterator[dict[str, float | str]]:
    """log k by runs of `pretraining` up to its second budget, against all its budgets, and against a larger model."""
    losses = pd.read_parquet(RESULTS / "real/losses/loss_summary.parquet")
    own = losses[(losses["experiment"] == OWN_EXPERIMENTS[0]) & (losses["part"] == "whole")]
    larger = losses[(losses["experiment"] == OWN_EXPERIMENTS[1]) & (losses["part"] == "whole")]
    budgets = sorted(own["tokens"].unique())
    short = _worths_by_target(own[own["tokens"] <= budgets[1]])
    for against, rows in (("all_budgets", own), ("larger_model", larger)):
        known = _worths_by_target(rows)
        yield {
            "short_runs_against": against,
            "tokens": float(budgets[1]),
            "sd_of_log_worth": round(float(np.sqrt(np.mean((short - known) ** 2))), 3),
            "correlation": round(float(np.corrcoef(short.ravel(), known.ravel())[0, 1]), 3),
            "same_best": round(float(np.mean(short.argmax(axis=0) == known.argmax(axis=0))), 3),
        }


def _worths_by_target(losses: pd.DataFrame) -> Array:
    """log k of the independent training sets, (training sets, targets), each target about its mean."""
    rows = losses[losses["train_set"].isin(INDEPENDENT)]
    found = []
    for target, own in rows.groupby("eval_set"):
        worths = read_short_runs(own, own["experiment"].iloc[0], str(target)).log_worth
        found.append(worths - worths.mean())
    return np.column_stack(found)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the constants of every measure")
    parser.add_argument("--short-runs", action="store_true", help="only compare short runs with longer ones")
    arguments = parser.parse_args(argv)
    if arguments.short_runs:
        for line in short_run_lines():
            print(json.dumps(line))
        return
    metrics = pd.read_parquet(RESULTS / "regmix/alignment/alignment.parquet", columns=["metric"])["metric"]
    shipped = []
    for metric in sorted(metrics.unique()):
        studies = studies_of(metric)
        for name, cases in studies.items():
            own = fitted(cases)
            for way, constants in ways_to_constants(studies, name).items():
                figures = {key: round(value, 3) for key, value in judged(cases, constants).items()}
                best = {"tau": round(own.tau, 5), "scatter": round(own.scatter, 3)}
                print(
                    json.dumps({"study": name, "metric": metric, "constants": way, **figures, **best}),
                    flush=True,
                )
        both = of_all(studies)
        shipped.append([metric, f"{both.tau:.3g}", f"{both.log_tau_sd:.2f}", f"{both.scatter:.2f}"])
    if arguments.write:
        with CONSTANTS.open("w", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(
                [["metric", "tau", "log_tau_sd", "scatter"], *shipped]
            )


if __name__ == "__main__":
    main()

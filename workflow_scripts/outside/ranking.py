"""The tables about recorded experiments: rankings of mixtures by each predictor, worths, laws."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.outside.predictors import (
    Fitted,
    Kernel,
    baselines,
    cross_validated,
    from_proxies,
    from_text,
    kernels,
    sharpened_kernels,
    ways_to_learn,
)
from workflow_scripts.statistics.effective_tokens import (
    Gaps,
    Runs,
    choose_tau,
    effective_tokens,
    flat_worth,
)
from workflow_scripts.statistics.mixture_ranking import (
    MEAN,
    Prediction,
    Skill,
    View,
    difference_rows,
    ranking_rows,
    resample_weights,
    skill,
    views,
)
from workflow_scripts.statistics.token_law import Prior, fit_law

# The kernel whose worths are the law's prior, chosen on RegMix's models of 1M parameters.
PRIOR_KERNEL = "root"
WORTH_TYPES = {
    **dict.fromkeys(("experiment", "model", "metric", "kernel", "source", "corpus", "eval_set"), "str"),
    **dict.fromkeys(("worth", "low", "high", "tau"), "float64"),
}
POINT_TYPES = {
    **dict.fromkeys(("experiment", "model", "metric", "train_set", "eval_set"), "str"),
    **dict.fromkeys(("effective_tokens", "own_share", "loss"), "float64"),
}
PREDICTED_TYPES = {
    **dict.fromkeys(("experiment", "model", "metric"), "str"),
    "proxies": "int64",
    **dict.fromkeys(("train_set", "eval_set"), "str"),
    **dict.fromkeys(("predicted", "loss"), "float64"),
    "note": "str",
}
LAW_TYPES = {
    **dict.fromkeys(("experiment", "model", "metric", "eval_set"), "str"),
    "proxies": "int64",
    **dict.fromkeys(("slope", "base", "noise", "rmse", "coverage"), "float64"),
    "n_runs": "int64",
}


Judged = tuple[Prediction, Skill]


@dataclass(frozen=True)
class Study:
    """One recorded experiment: its runs, the proxies that predictors are fitted to, and runs of other sizes.

    proxies_name: experiments with the same name share fits; they all have the same parts and targets.
    sizes: runs by number of parameters, from which the kernel at `parameters` is extrapolated.
    """

    name: str
    model: str
    runs: Runs
    proxies: Runs | None = None
    proxies_name: str | None = None
    same_model: bool = False
    stand_ins: tuple[str, ...] = ()
    parameters: float | None = None
    sizes: Mapping[float, Runs] | None = None

    @property
    def key(self) -> dict[str, str]:
        return {"experiment": self.name, "model": self.model}

    @property
    def fitted_to(self) -> Runs:
        return self.proxies or self.runs


@dataclass(frozen=True)
class Effort:
    """Numbers of draws, resamples and proxies."""

    proxies: tuple[int, ...]
    draws: int
    resamples: int
    seed: int
    threads: int


def text_predictions(
    study: Study, gaps: Mapping[str, Gaps], mixed: Mapping[str, np.ndarray]
) -> Iterator[Prediction]:
    """Predictors without training runs: baselines, the alignment of the mixtures, effective tokens."""
    yield from baselines(study.runs)
    for metric, alignment in mixed.items():
        yield Prediction(metric, "mixture_alignment", alignment[None])
    for metric, one in gaps.items():
        for kernel in kernels(one, study.fitted_to):
            yield from_text(metric, one, kernel, study.runs, in_sample=study.proxies is None)
        if study.sizes and study.parameters:
            for kernel in sharpened_kernels(one, study.sizes, study.parameters):
                yield from_text(metric, one, kernel, study.runs, in_sample=False)


def proxy_predictions(
    studies: Sequence[Study], gaps: Mapping[str, Mapping[str, Gaps]], effort: Effort
) -> dict[str, list[Prediction]]:
    """Predictors that learn from training runs, by experiment: from the requested proxies, or else from other runs."""
    found: dict[str, list[Prediction]] = {study.name: [] for study in studies}
    for study in (study for study in studies if study.proxies is None):
        for fitted in learners(study, gaps[study.name]):
            found[study.name].append(cross_validated(fitted, study.runs, effort.seed, effort.threads))
    for name in dict.fromkeys(study.proxies_name for study in studies if study.proxies is not None):
        together = [study for study in studies if study.proxies_name == name]
        proxies, runs = together[0].fitted_to, [study.runs for study in together]
        for fitted in learners(together[0], gaps[together[0].name]):
            for count in (count for count in effort.proxies if count <= len(proxies.losses)):
                draws = (effort.draws, effort.seed, effort.threads)
                for study, one in zip(
                    together, from_proxies(fitted, proxies, runs, count, *draws), strict=True
                ):
                    found[study.name].append(one)
    return found


@dataclass(frozen=True)
class Rows:
    """Rows of the tables that one experiment adds to."""

    rankings: list[dict[str, Any]]
    differences: list[dict[str, Any]]
    worths: list[dict[str, Any]]
    laws: list[dict[str, Any]]


def rows_of(
    study: Study,
    gaps: Mapping[str, Gaps],
    mixed: Mapping[str, np.ndarray],
    learned: Sequence[Prediction],
    effort: Effort,
) -> Rows:
    """All rows of one experiment, from text and from training runs."""
    rankings, differences = judged(study, [*text_predictions(study, gaps, mixed), *learned], effort)
    worths = worth_rows(study, gaps) if study.proxies is None else ()
    return Rows(rankings, differences, list(worths), list(law_rows(study, gaps, effort)))


def best_metrics(studies: Sequence[Study], rankings: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """For each experiment, the measure whose effective tokens rank best the runs on which tau was chosen."""
    skill_of = {
        (row["experiment"], row["metric"]): row["spearman"]
        for row in rankings
        if (row["predictor"], row["kernel"], row["scope"], row["eval_set"])
        == ("effective_tokens", PRIOR_KERNEL, "all", MEAN)
    }
    found = {}
    for study in studies:
        own = {
            m: value for (name, m), value in skill_of.items() if name == (study.proxies_name or study.name)
        }
        found[study.name] = max(own, key=lambda metric: own[metric])
    return found


def learners(study: Study, gaps: Mapping[str, Gaps]) -> list[Fitted]:
    return ways_to_learn(prior_worths(study, gaps), flat_prior(study.fitted_to))


def prior_worths(study: Study, gaps: Mapping[str, Gaps]) -> dict[tuple[str, str], np.ndarray]:
    """The law's prior by each metric."""
    return {(name, PRIOR_KERNEL): _prior_kernel(one, study).worth(one) for name, one in gaps.items()}


def flat_prior(runs: Runs) -> np.ndarray:
    """One worth for every part but the target's own: the median of the worths that the law finds in all proxies.

    Ranks cannot choose it: with equal tokens in every run, any flat worth ranks like the own share.
    """
    vague = flat_worth(runs, 0.01)
    fitted = [
        fit_law(
            runs.shares,
            runs.tokens,
            runs.losses[:, j],
            vague[:, j],
            runs.own_part(target),
            Prior(worth_spread=3.0),
        )
        for j, target in enumerate(runs.targets)
    ]
    return flat_worth(runs, float(np.median(np.concatenate([law.worth[law.free] for law in fitted]))))


def judged(
    study: Study, predictions: Sequence[Prediction], effort: Effort
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the ranking and of the paired differences, in every view of the experiment."""
    weights = resample_weights(len(study.runs.losses), effort.resamples, effort.seed)
    rankings: list[dict[str, Any]] = []
    differences: list[dict[str, Any]] = []
    for view in views(study.runs, study.stand_ins):
        found = [(one, skill(one, study.runs.losses, view, weights)) for one in predictions]
        for one, its_skill in found:
            rankings += [{**study.key, **row} for row in ranking_rows(one, study.runs, view, its_skill)]
        for first, second in _pairs(found, view):
            differences += [{**study.key, **row} for row in difference_rows(first, second, view)]
    return rankings, differences


def worth_rows(study: Study, gaps: Mapping[str, Gaps]) -> Iterator[dict[str, Any]]:
    """The worth of a token of each part for each target: by the text, and by the law fitted to all proxies."""
    runs = study.fitted_to
    for metric, one in gaps.items():
        by_shape = {kernel.shape: kernel for kernel in kernels(one, runs)}
        for kernel in by_shape.values():
            ends = one.worth_interval(kernel.shape, kernel.tau)
            key = {**study.key, "metric": metric, "kernel": kernel.shape, "source": "text", "tau": kernel.tau}
            yield from _worths(key, runs, kernel.worth(one), *ends)
        kernel = by_shape[PRIOR_KERNEL]
        prior = kernel.worth(one)
        laws = [
            fit_law(runs.shares, runs.tokens, runs.losses[:, j], prior[:, j], runs.own_part(target))
            for j, target in enumerate(runs.targets)
        ]
        worth = np.column_stack([law.worth for law in laws])
        spread = np.exp(1.96 * np.column_stack([law.log_worth_error for law in laws]))
        key = {**study.key, "metric": metric, "kernel": kernel.shape, "source": "law", "tau": kernel.tau}
        yield from _worths(key, runs, worth, worth / spread, worth * spread)


def point_rows(study: Study, metric: str, gaps: Gaps) -> Iterator[dict[str, Any]]:
    """Effective tokens and loss of every run and target, by one metric and the law's prior kernel."""
    runs, own = study.runs, study.runs.own_shares
    effective = effective_tokens(runs, _prior_kernel(gaps, study).worth(gaps))
    for i, train_set in enumerate(runs.train_sets):
        for j, target in enumerate(runs.targets):
            yield {
                **study.key,
                "metric": metric,
                "train_set": train_set,
                "eval_set": target,
                "effective_tokens": effective[i, j],
                "own_share": own[i, j],
                "loss": runs.losses[i, j],
            }


def predicted_rows(study: Study, metric: str, learned: Sequence[Prediction]) -> Iterator[dict[str, Any]]:
    """Predicted loss of every run and target, by the law with one metric's prior, and the real loss.

    If proxies are drawn several times, the first draw is used: a mean over draws would use more proxies.
    """
    for law in (one for one in learned if (one.predictor, one.metric) == ("law", metric)):
        for i, train_set in enumerate(study.runs.train_sets):
            for j, target in enumerate(study.runs.targets):
                yield {
                    **study.key,
                    "metric": metric,
                    "proxies": law.proxies,
                    "train_set": train_set,
                    "eval_set": target,
                    "predicted": -law.scores[0, i, j],
                    "loss": study.runs.losses[i, j],
                    "note": law.note,
                }


def law_rows(study: Study, gaps: Mapping[str, Gaps], effort: Effort) -> Iterator[dict[str, Any]]:
    """The law fitted to one draw of the proxies, and the coverage of its intervals on other runs of the same model."""
    if study.proxies is None or not study.same_model:
        return
    rng = np.random.default_rng([effort.seed, 1])
    priors = prior_worths(study, gaps)
    for count in (count for count in effort.proxies if count <= len(study.proxies.losses)):
        rows = rng.choice(len(study.proxies.losses), count, replace=False)
        for (metric, _), worth in priors.items():
            for j, target in enumerate(study.runs.targets):
                law = fit_law(
                    study.proxies.shares[rows],
                    study.proxies.tokens[rows],
                    study.proxies.losses[rows, j],
                    worth[:, j],
                    study.runs.own_part(target),
                )
                predicted, error = law.predict(study.runs.shares, study.runs.tokens)
                misses = study.runs.losses[:, j] - predicted
                yield {
                    **study.key,
                    "metric": metric,
                    "eval_set": target,
                    "proxies": count,
                    "slope": law.slope,
                    "base": law.base,
                    "noise": law.noise,
                    "rmse": float(np.sqrt(np.mean(misses**2))),
                    "coverage": float(np.mean(np.abs(misses) <= 1.96 * error)),
                    "n_runs": len(misses),
                }


def table_of(rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(types)).astype(dict(types))


def _pairs(found: Sequence[Judged], view: View) -> Iterator[tuple[Judged, Judged]]:
    """All predictors against the trivial baseline.

    On all targets and runs also the measures against each other, and the law against boosting and a flat prior, both
    from the same number of proxies.
    """
    for first in found:
        for second in found:
            one, other = first[0], second[0]
            if one is other:
                continue
            same_way = (one.predictor, one.kernel, one.proxies) == (
                other.predictor,
                other.kernel,
                other.proxies,
            )
            rivals = (
                one.predictor == "law"
                and one.proxies == other.proxies
                and other.metric in ("gradient_boosting", "flat_prior")
            )
            everywhere = view.name == "all" and (rivals or (same_way and one.metric < other.metric))
            if other.metric == "own_share" or everywhere:
                yield first, second


def _prior_kernel(gaps: Gaps, study: Study) -> Kernel:
    return Kernel(PRIOR_KERNEL, choose_tau(study.fitted_to, gaps, PRIOR_KERNEL), "proxies")


def _worths(
    key: dict[str, Any], runs: Runs, worth: np.ndarray, low: np.ndarray, high: np.ndarray
) -> Iterator[dict[str, Any]]:
    for d, part in enumerate(runs.parts):
        for j, target in enumerate(runs.targets):
            ends = {"worth": worth[d, j], "low": low[d, j], "high": high[d, j]}
            yield {**key, "corpus": part, "eval_set": target, **ends}

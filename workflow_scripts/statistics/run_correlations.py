"""Alignment against loss in our own experiments: every metric, scope and statistic of a panel."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow_scripts.statistics.association import NAN, Association, Scope, associate
from workflow_scripts.statistics.correlation import Centring, Grid, correlation, variance_between_eval
from workflow_scripts.statistics.covariates import chosen_covariates
from workflow_scripts.statistics.experiments import Panel
from workflow_scripts.statistics.intervals import FEWEST_FAMILIES
from workflow_scripts.statistics.permutation import CHUNK_CELLS
from workflow_scripts.statistics.resampling import Resamples, cluster_resamples
from workflow_scripts.tokens.parts import WHOLE

KEY_TYPES = {"experiment": "str", "part": "str", "tokens": "int64", "metric": "str", "scope": "str"}
CORRELATION_TYPES = {
    **KEY_TYPES,
    "alignment_part": "str",
    "statistic": "str",
    "given": "str",
    **dict.fromkeys(("value", "ci_low", "ci_high", "bootstrap_low", "bootstrap_high"), "float64"),
    **dict.fromkeys(("p_permutation", "p_holm", "p_smallest"), "float64"),
    **dict.fromkeys(("n_points", "n_train", "n_families", "n_eval"), "int64"),
    **dict.fromkeys(("families_needed", "families_needed_half"), "float64"),
    "note": "str",
}
LEFT_OUT_TYPES = {**KEY_TYPES, "side": "str", "left_out": "str", "pearson_r": "float64"}
WITH_CONTROLS: dict[str, Centring] = {
    "pooled": "pooled",
    "within": "within_eval",
    "double_centred": "double_centred",
}
OF_WHOLE = "pearson_r_of_whole"
"""r of the alignment of whole rows, for alignments of another part: shows the effect of the part."""
HOLM_FAMILY = ["experiment", "part", "tokens", "scope", "statistic"]


@dataclass(frozen=True)
class Settings:
    """Random arrangements, resamples, their seed, and the metrics that partial correlations control for."""

    permutations: int
    bootstraps: int
    seed: int
    baselines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """Rows of two tables, from one panel."""

    correlations: list[dict[str, Any]]
    left_out: list[dict[str, Any]]


def scopes(panel: Panel) -> list[Scope]:
    """Every scope without controls and, if there are controls, again with them.

    Out of domain leaves out the pairs that the config calls in-domain, if it names any.
    """
    everywhere, away = ~(panel.controls & np.ones_like(panel.in_domain)), ~(panel.in_domain | panel.controls)
    found = [
        Scope("pooled", "pooled", everywhere),
        Scope("within_eval", "within_eval", everywhere),
        Scope("double_centred", "double_centred", everywhere),
    ]
    if panel.in_domain.any():
        found += [
            Scope("out_of_domain_pooled", "pooled", away),
            Scope("out_of_domain_within", "within_eval", away),
        ]
    if panel.controls.any():
        found += [
            Scope(f"with_controls_{name}", centring, np.ones_like(panel.in_domain))
            for name, centring in WITH_CONTROLS.items()
        ]
    return found


def analyse_panel(panel: Panel, covariates: Mapping[str, Grid], settings: Settings) -> Analysis:
    """Correlations of every metric with the mean loss: plain, of ranks, controlling for covariates or for a metric."""
    correlations, left_out = [], []
    resamples = cluster_resamples(panel.losses, settings.bootstraps, settings.seed, panel.family_numbers)
    for metric, alignment in panel.alignments.items():
        for scope in scopes(panel):
            key = {**panel.key, "metric": metric, "scope": scope.name}
            for statistic, given, found in _associations(panel, metric, scope, covariates, settings):
                row = {**key, "statistic": statistic, "given": given, **found.row()}
                row["alignment_part"] = WHOLE if statistic == OF_WHOLE else panel.alignment_part(metric)
                row["note"] = "; ".join(filter(None, (found.note, panel.note)))
                correlations.append(row)
                if statistic == "pearson_r":
                    row |= _bootstrap_interval(alignment, resamples, scope, found.n_families)
                    left_out += [{**key, **entry} for entry in _left_out(panel, found)]
            if scope.centring == "pooled":
                row = {**key, "alignment_part": panel.alignment_part(metric)}
                correlations.append({**row, **_variance_between(panel, alignment, scope)})
    return Analysis(correlations, left_out)


def correlation_table(analyses: Iterable[Analysis]) -> pd.DataFrame:
    """All correlations, with p after Holm over the metrics of a family."""
    rows = [row for analysis in analyses for row in analysis.correlations]
    table = pd.DataFrame(rows, columns=[name for name in CORRELATION_TYPES if name != "p_holm"])
    table["p_holm"] = np.nan
    for _, family in table.groupby(HOLM_FAMILY, sort=False):
        tested = family.index[family["p_permutation"].notna()]
        if len(tested):
            table.loc[tested, "p_holm"] = holm(table.loc[tested, "p_permutation"].to_numpy())
    return table[list(CORRELATION_TYPES)].astype(CORRELATION_TYPES)


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's (1979) adjusted p: the k-th smallest of m times m - k + 1, never below the previous one."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def left_out_table(analyses: Iterable[Analysis]) -> pd.DataFrame:
    """Correlations with one family of training sets or one evaluation set left out."""
    rows = [row for analysis in analyses for row in analysis.left_out]
    return pd.DataFrame(rows, columns=list(LEFT_OUT_TYPES)).astype(LEFT_OUT_TYPES)


def _associations(
    panel: Panel, metric: str, scope: Scope, covariates: Mapping[str, Grid], settings: Settings
) -> Iterator[tuple[str, str, Association]]:
    """(statistic, what it controls for, association) of one metric in one scope."""
    alignment = panel.alignments[metric]

    def found(controls: Sequence[Grid] = (), rank: bool = False, alignment: Grid = alignment) -> Association:
        return associate(
            alignment,
            panel.loss,
            scope,
            permutations=settings.permutations,
            seed=settings.seed,
            covariates=controls,
            rank=rank,
            families=panel.family_numbers,
        )

    yield "pearson_r", "", found()
    if metric in panel.of_whole:
        yield OF_WHOLE, "", found(alignment=panel.of_whole[metric])
    yield "spearman", "", found(rank=True)
    if covariates:
        names = chosen_covariates(covariates, alignment, panel.loss, scope, panel.family_numbers)
        if names:
            yield "partial_r", ", ".join(names), found([covariates[name] for name in names])
        else:
            none = "no covariate varies here that this number of families supports"
            yield "partial_r", "", Association(note=none)
    for baseline in settings.baselines:
        if baseline != metric and baseline in panel.alignments:
            yield f"partial_r_given_{baseline}", baseline, found([panel.alignments[baseline]])


def _bootstrap_interval(
    alignment: Grid, resamples: Resamples, scope: Scope, n_families: int
) -> dict[str, float]:
    """Percentile interval of r over resamples of families, evaluation sets and seeds."""
    if n_families < FEWEST_FAMILIES:
        return {}
    present = scope.cells & np.isfinite(alignment)
    step = max(1, CHUNK_CELLS // alignment.size)
    drawn = np.concatenate(
        [
            correlation(
                np.nan_to_num(alignment),
                np.nan_to_num(resamples.losses[start : start + step]),
                present * resamples.weights[start : start + step],
                scope.centring,
            )
            for start in range(0, len(resamples.weights), step)
        ]
    )
    if np.isnan(drawn).all():
        return {}
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return {"bootstrap_low": float(low), "bootstrap_high": float(high)}


def _variance_between(panel: Panel, alignment: Grid, scope: Scope) -> dict[str, Any]:
    """Share of the loss' variance between evaluation sets, which a pooled correlation mostly measures."""
    present = scope.cells & np.isfinite(alignment) & np.isfinite(panel.loss)
    share = float(variance_between_eval(np.nan_to_num(panel.loss), present.astype(float)))
    alone = present.any(axis=0).sum() < 2
    return {
        "statistic": "variance_between_eval",
        "given": "",
        "value": NAN if alone else share,
        "n_points": int(present.sum()),
        "n_train": int(present.any(axis=1).sum()),
        "n_families": len({panel.families[i] for i in np.flatnonzero(present.any(axis=1))}),
        "n_eval": int(present.any(axis=0).sum()),
        "note": "one evaluation set" if alone else "",
    }


def _left_out(panel: Panel, found: Association) -> Iterator[dict[str, Any]]:
    for side, names, values in (
        ("train", dict.fromkeys(panel.families), found.without_family),
        ("eval", panel.eval_sets, found.without_eval),
    ):
        # An undefined association has no leave-one-out values.
        for name, value in zip(names, values, strict=False):
            yield {"side": side, "left_out": name, "pearson_r": float(value)}

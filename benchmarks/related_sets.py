"""Studies whose training sets are made from each other, as in every config of the repository.

Alignment and loss of a source are each an effect of the source (60% of the variance) and a rest by evaluation set.
Those of a training set are the mean of its sources, weighted by their shares, plus noise. Sources from the same file,
package or `family` count as one. Controls are left out, as in the analysis. In the world `null`, all these components
of alignment and loss are independent; in the other world they all correlate at -.6.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from snakemake.utils import update_config

from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.corpus_graph import CorpusGraph
from workflow_scripts.plan.families import families
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.statistics.association import Association, Scope, associate
from workflow_scripts.statistics.correlation import CENTRINGS, Centring, Grid
from workflow_scripts.statistics.experiments import Experiment, experiments_from_json

ROOT = Path(__file__).resolve().parents[1]
OF_SOURCES, NOISE, BETWEEN_EVAL, TRUE_R = 0.6, 0.1, 3.0, -0.6
OURS = ("families", "families_spearman")
METHODS = (*OURS, "sets")
"""Ours, ours for ranks, and the test and interval that treat all training sets as independent."""


@dataclass(frozen=True)
class Design:
    """Shares of sources in each training set, the number of each set's family, and how many evaluation sets."""

    name: str
    shares: NDArray[np.float64]
    families: NDArray[np.intp]
    n_eval: int

    @property
    def described(self) -> dict[str, Any]:
        return {
            "design": self.name,
            "train": len(self.families),
            "families": int(self.families.max()) + 1,
            "eval": self.n_eval,
        }


def shipped_designs() -> list[Design]:
    """One for every experiment of every config; experiments of the same structure share one."""
    designs: dict[Any, Design] = {}
    for name in ("default", *sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))):
        config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
        if name != "default":
            update_config(
                config, yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
            )
        plan = RunPlan(checked({**config, "only_existing": True, "corpora_folder": None}))
        trained = [e for e in experiments_from_json(plan.analysis.experiments_json) if e.kind != "recorded"]
        for experiment in trained:
            design = _design(plan.corpora, experiment, f"{name}.{experiment.name}")
            key = (design.shares.tobytes(), design.families.tobytes(), design.n_eval)
            known = designs.get(key)
            if known is not None:
                design = replace(known, name=f"{known.name}, {design.name}")
            designs[key] = design
    return list(designs.values())


def _design(graph: CorpusGraph, experiment: Experiment, name: str) -> Design:
    train_sets = [train_set for train_set in experiment.train_sets if train_set not in experiment.controls]
    made_of = [_sources(graph, train_set) for train_set in train_sets]
    leaves = sorted({leaf for shares in made_of for leaf in shares})
    origins = {**{leaf: leaf for leaf in leaves}, **families(graph, leaves)}
    places = {origin: place for place, origin in enumerate(dict.fromkeys(origins[leaf] for leaf in leaves))}
    shares = np.zeros((len(made_of), len(places)))
    for row, parts in enumerate(made_of):
        for leaf, share in parts.items():
            shares[row, places[origins[leaf]]] += share
    named = [experiment.family(train_set) for train_set in train_sets]
    numbers = np.array([list(dict.fromkeys(named)).index(family) for family in named])
    return Design(name, shares, numbers, len(experiment.eval_sets))


def _sources(graph: CorpusGraph, name: str) -> dict[str, float]:
    """Shares of the corpora with their own text."""
    spec = graph.specs[name]
    if spec["source"] == "derived":
        return _sources(graph, spec["base"])
    if spec["source"] != "mixture":
        return {name: 1.0}
    shares: dict[str, float] = defaultdict(float)
    for part, share in spec["fractions"].items():
        for leaf, inner in _sources(graph, part).items():
            shares[leaf] += share * inner
    return dict(shares)


def draw(rng: np.random.Generator, design: Design, r: float) -> tuple[Grid, Grid]:
    """Alignment and loss of one study."""

    def related(n: int) -> Grid:
        """Two grids of n rows whose row effects and rests correlate at r."""
        grids = np.zeros((2, n, design.n_eval))
        for width, share in ((1, OF_SOURCES), (design.n_eval, 1 - OF_SOURCES)):
            pair = rng.normal(size=(2, n, width))
            pair[0] = r * pair[1] + np.sqrt(1 - r * r) * pair[0]
            grids += np.sqrt(share) * pair
        return grids

    n_train, n_sources = design.shares.shape
    grids = design.shares @ related(n_sources) + np.sqrt(NOISE) * related(n_train)
    alignment, loss = grids + BETWEEN_EVAL * rng.normal(size=(2, 1, design.n_eval))
    return alignment, loss


def analysed(
    design: Design, alignment: Grid, loss: Grid, centring: Centring, method: str, seed: int
) -> Association:
    return associate(
        alignment,
        loss,
        Scope(centring, centring, np.ones(loss.shape, bool)),
        permutations=499,
        seed=seed,
        rank=method == "families_spearman",
        families=None if method == "sets" else design.families,
    )


def truth(centring: Centring, method: str, r: float) -> float:
    """The statistic over infinitely many families and evaluation sets."""
    total = 1 + NOISE
    r = r * total / (total + BETWEEN_EVAL**2) if centring == "pooled" else r
    return 6 / np.pi * np.arcsin(r / 2) if method == "families_spearman" else r


def lines(designs: list[Design], simulations: int, fewer: int, seed: int) -> Iterator[dict[str, Any]]:
    """One line per design, scope and method; null if a method has no p or no interval."""
    for index, design in enumerate(designs):
        scopes: tuple[Centring, ...] = CENTRINGS if design.n_eval > 1 else ("within_eval",)
        found: dict[Any, list[tuple[float, float]]] = defaultdict(list)
        for r, count in ((0.0, simulations), (TRUE_R, fewer)):
            rng = np.random.default_rng([seed, index, int(r != 0)])
            for study in range(count):
                alignment, loss = draw(rng, design, r)
                for centring in scopes:
                    for method in METHODS if study < fewer else OURS:
                        one = analysed(design, alignment, loss, centring, method, int(rng.integers(2**31)))
                        held = one.ci_low <= truth(centring, method, r) <= one.ci_high
                        found[centring, method, r].append(
                            (one.p_permutation, held if np.isfinite(one.ci_low) else np.nan)
                        )
        for centring in scopes:
            for method in METHODS:
                null, associated = (np.array(found[centring, method, r], dtype=float) for r in (0.0, TRUE_R))
                yield {
                    **design.described,
                    "scope": centring,
                    "method": method,
                    "rejects": _share(null[:, 0] <= 0.05, null[:, 0]),
                    "covers": _lower(
                        _share(null[:, 1], null[:, 1]), _share(associated[:, 1], associated[:, 1])
                    ),
                    "power": _share(associated[:, 0] <= 0.05, associated[:, 0]),
                }


def _share(values: NDArray[Any], given: NDArray[np.float64]) -> float | None:
    """The mean over studies in which the method gave a result; None if it never did."""
    there = np.isfinite(given)
    return round(float(values[there].mean()), 4) if there.any() else None


def _lower(one: float | None, other: float | None) -> float | None:
    return one if other is None else other if one is None else min(one, other)

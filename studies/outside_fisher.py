"""What improves worths of tokens by the Fisher measure? Variants are chosen on recorded runs, and tested on others.

Run as `python -m studies.outside_fisher --run results/regmix` if that run has its embeddings. A variant is defined by
the compared coordinates, by the comparison (`studies.fisher_variants` has both lists), and by whether batches are
compared pair by pair or `pooled`: the mean Fisher of all batches of a set, compared once. Each is tried with both
kernels of `statistics/effective_tokens.py`; kernel and tau are those that rank the runs of --learn best. Prints one
JSON line per variant, the best one on --learn last: the mean rank correlation over targets on --learn and on each
experiment of --tell, and the correlation for all targets at once.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from studies.fisher_variants import COMPARISONS, coordinate_groups
from workflow_scripts.command_line import parser_for, set_threads
from workflow_scripts.outside.runs import runs_of
from workflow_scripts.statistics.effective_tokens import (
    KERNELS,
    Gaps,
    Runs,
    choose_tau,
    mean_spearman,
    score,
)
from workflow_scripts.storage.tables import read_frame

Grid = NDArray[np.float64]
Embedded = Mapping[str, NDArray[np.float32]]


def recorded_runs(folder: Path, experiment: Mapping[str, Any]) -> Runs:
    losses, shares = (
        read_frame(folder / "outside" / f"{experiment['name']}.{kind}.parquet")
        for kind in ("losses", "shares")
    )
    return runs_of(losses, shares, sorted(experiment["parts"]), sorted(experiment["eval_sets"]))


def embeddings(folder: Path, runs: Runs) -> dict[str, NDArray[np.float32]]:
    """(batches, coordinates) of every part and target."""
    sets = [f"{part}.train" for part in runs.parts] + [f"{target}.eval" for target in runs.targets]
    return {name: np.stack(list(read_frame(folder / f"{name}.parquet")["embedding"])) for name in sets}


def alignments(runs: Runs, embedded: Embedded, coordinates: list[NDArray[np.int64]], compare: str) -> Grid:
    """Parts x targets: means over groups of coordinates and over pairs of batches."""
    found = np.zeros((len(runs.parts), len(runs.targets)))
    for group in coordinates:
        values = {name: batches[:, group].astype(np.float64) for name, batches in embedded.items()}
        targets = np.concatenate([values[f"{target}.eval"] for target in runs.targets])
        for i, part in enumerate(runs.parts):
            table = COMPARISONS[compare](values[f"{part}.train"], targets)
            found[i] += table.reshape(len(table), len(runs.targets), -1).mean(axis=(0, 2)) / len(coordinates)
    return found


def gaps(runs: Runs, alignment: Grid) -> Gaps:
    own = np.array([alignment[runs.parts.index(target), j] for j, target in enumerate(runs.targets)])
    return Gaps(own - alignment, np.zeros_like(alignment))


def skill_of(learned: Runs, others: Mapping[str, Runs], one: Gaps) -> dict[str, Any]:
    """Kernel, tau and skill of one variant."""
    taus = {kernel: choose_tau(learned, one, kernel) for kernel in KERNELS}
    skill = {
        kernel: mean_spearman(score(learned, one.worth(kernel, tau)), learned.losses)
        for kernel, tau in taus.items()
    }
    kernel = max(skill, key=lambda name: skill[name])
    found: dict[str, Any] = {"kernel": kernel, "tau": taus[kernel] / one.median, "learned": skill[kernel]}
    for name, runs in others.items():
        scores = score(runs, one.worth(kernel, taus[kernel]))
        found[name] = mean_spearman(scores, runs.losses)
        found[f"{name}, all at once"] = mean_spearman(
            scores.mean(axis=1, keepdims=True), runs.losses.mean(axis=1, keepdims=True)
        )
    return found


def variants(
    learned: Runs, others: Mapping[str, Runs], embedded: Embedded, probe: Path
) -> Iterator[dict[str, Any]]:
    pooled = {name: batches.mean(axis=0, keepdims=True) for name, batches in embedded.items()}
    for where, coordinates in coordinate_groups(probe).items():
        for compare in COMPARISONS:
            for how, chosen in (("pairs", embedded), ("pooled", pooled)):
                one = gaps(learned, alignments(learned, chosen, coordinates, compare))
                yield {"variant": f"{where}, {compare}, {how}", **skill_of(learned, others, one)}


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--run", required=True, type=Path, help="folder of a run")
    parser.add_argument("--config", type=Path, default=Path("configs/regmix.yaml"), help="config of that run")
    parser.add_argument("--estimator", default="corrected")
    parser.add_argument("--learn", default="regmix_1m", help="experiment that chooses kernel and tau")
    parser.add_argument(
        "--tell", nargs="+", default=["regmix_1m_test"], help="experiments that are predicted"
    )
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    set_threads(arguments.threads)
    config = yaml.safe_load(arguments.config.read_text())
    experiments = {experiment["name"]: experiment for experiment in config["experiments"]}
    learned = recorded_runs(arguments.run, experiments[arguments.learn])
    others = {name: recorded_runs(arguments.run, experiments[name]) for name in arguments.tell}
    probe = arguments.run / "probe" / "seed-0"
    embedded = embeddings(arguments.run / "embeddings" / probe.name / arguments.estimator, learned)
    found = []
    for row in variants(learned, others, embedded, probe):
        found.append(row)
        print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}), flush=True)
    print(json.dumps({"best": max(found, key=lambda row: row["learned"])["variant"]}))


if __name__ == "__main__":
    main()

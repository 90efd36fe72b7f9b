"""The recorded data of RegMix: published losses and shares, alignments from docs/results/regmix, and worths."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow_scripts.choosing.worth import constants_of, worths_of
from workflow_scripts.outside.runs import gaps_of, runs_of
from workflow_scripts.outside.tables import read
from workflow_scripts.statistics.effective_tokens import Gaps, Runs
from workflow_scripts.storage.tables import read_frame, read_plain_json
from workflow_scripts.tokens.parts import of_whole

Array = NDArray[np.float64]
RECORDED = Path("docs/results/regmix")
METRIC, KERNEL = "ngram_cross_entropy", "root"
# The models on which tau was chosen, and from which regressions learn.
PROXIES = "regmix_1m"
# GiB of text before repetition: table 1 of arXiv 2101.00027.
PILE_GIB = {
    "arxiv": 56.21,
    "dm_mathematics": 7.75,
    "enron_emails": 0.88,
    "europarl": 4.59,
    "freelaw": 51.15,
    "github": 95.16,
    "gutenberg_pg_19": 10.88,
    "hackernews": 3.90,
    "nih_exporter": 1.89,
    "philpapers": 2.38,
    "pile_cc": 227.12,
    "pubmed_abstracts": 19.26,
    "pubmed_central": 90.27,
    "stackexchange": 32.20,
    "ubuntu_irc": 5.52,
    "uspto_backgrounds": 22.90,
    "wikipedia_en": 6.38,
}


@dataclass(frozen=True)
class RegMix:
    """All runs by experiment, and the worths of their parts from text."""

    runs: dict[str, Runs]
    models: dict[str, str]
    alignment: pd.DataFrame
    gaps: Gaps
    tau: float

    @property
    def worth(self) -> Array:
        return self.gaps.worth(KERNEL, self.tau)

    @property
    def unnamed_worth(self) -> Array:
        """Worths as the command computes them, without knowing which part is a target's own."""
        return worths_of(self.alignment, self.parts, self.targets, constants_of(METRIC), 1, 0).expected

    @property
    def parts(self) -> tuple[str, ...]:
        return self.runs[PROXIES].parts

    @property
    def targets(self) -> tuple[str, ...]:
        return self.runs[PROXIES].targets

    @property
    def natural(self) -> Array:
        """Shares of the parts in the Pile, by size."""
        sizes = np.array([PILE_GIB[part] for part in self.parts])
        return sizes / sizes.sum()


def read_regmix() -> RegMix:
    """Read the data; call it from the root of a checkout."""
    config = read_plain_json(RECORDED / "config.json")
    entries = {entry["name"]: entry for entry in config["experiments"] if entry["kind"] == "recorded"}
    parts, targets = (sorted(entries[PROXIES][key]) for key in ("parts", "eval_sets"))
    runs = {}
    for name, entry in entries.items():
        recorded = read(entry["losses"], entry["mixtures"], parts, targets, entry["model"])
        runs[name] = runs_of(recorded.losses, recorded.shares, parts, targets)
    alignment = of_whole(read_frame(RECORDED / "alignment" / "alignment.parquet"))
    alignment = alignment[alignment["metric"] == METRIC]
    worths = read_frame(RECORDED / "analysis" / "token_worth.parquet")
    chosen = worths[
        (worths["metric"] == METRIC) & (worths["kernel"] == KERNEL) & (worths["source"] == "text")
    ]
    (tau,) = chosen.loc[chosen["experiment"] == PROXIES, "tau"].unique()
    models = {name: entry["model"] for name, entry in entries.items()}
    return RegMix(runs, models, alignment, gaps_of(alignment, parts, targets), float(tau))

"""A made-up run of losses that others measured: parts are points on a line, and loss follows the law."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts import choose_data, correlate_losses, measure_exchange_rate, rank_mixtures
from workflow_scripts.storage.tables import write_table
from workflow_scripts.training.losses import summary_of_recorded

PARTS = ("code", "forum", "prose", "letters", "science")
TARGETS = PARTS[:4]
PLACES = dict(zip(PARTS, (0.0, 1.0, 2.2, 2.6, 4.0), strict=True))
# More proxies than a legend can name, and fewer runs to predict than that.
SIZES = {"small": 70, "large": 24}
ENTRY: dict[str, Any] = {
    "kind": "recorded",
    "parts": list(PARTS),
    "eval_sets": list(TARGETS),
    "stand_ins": [],
    "sharpen_from": [],
    "parameters": None,
}
EXPERIMENTS = [
    {**ENTRY, "name": "small", "model": "1M", "proxies": None},
    {**ENTRY, "name": "large", "model": "1B", "proxies": "small"},
]
OUTSIDE = {
    "--output": "effective_tokens",
    "--differences": "effective_token_differences",
    "--worth": "token_worth",
    "--laws": "token_laws",
    "--points": "effective_token_points",
    "--predicted": "predicted_losses",
}


def gap(part: str, target: str) -> float:
    return abs(PLACES[part] - PLACES[target])


def alignment(rng: np.random.Generator) -> pd.DataFrame:
    """Of every part with every target; the second metric is a noisy copy of the first."""
    rows = []
    for metric, noise in (("ngram_cross_entropy", 0.02), ("unigram_js", 0.6)):
        for part in PARTS:
            for target in TARGETS:
                value = -gap(part, target) + noise * rng.normal() * (part != target)
                ends = {"ci_low": value - 0.05, "ci_high": value + 0.05}
                scaled = {"calibrated": value, "calibrated_low": value, "calibrated_high": value}
                sides = {"source": f"{part}.train", "target": f"{target}.eval"}
                rows.append({"metric": metric, **sides, "alignment": value, **ends, **scaled})
    return pd.DataFrame(rows)


def mixtures(name: str, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shares and losses of the runs of one size; the large ones learn more from other parts."""
    shares, losses = [], []
    for i in range(SIZES[name]):
        mixture = dict(zip(PARTS, rng.dirichlet([0.4] * len(PARTS)), strict=True))
        train_set = f"{name}_{i:02}"
        shares += [
            {"train_set": train_set, "corpus": part, "share": share} for part, share in mixture.items()
        ]
        for target in TARGETS:
            worth = sum(share * np.exp(-2 * gap(part, target)) for part, share in mixture.items())
            loss = 4 - 0.3 * np.log(0.001 + worth) + 0.02 * rng.normal() - 2 * (name == "large")
            keys = {"train_set": train_set, "eval_set": target, "tokens": 10**9, "seed": 0}
            losses.append({**keys, "loss": loss})
    return pd.DataFrame(shares), pd.DataFrame(losses)


def mixed(pairs: pd.DataFrame, shares: pd.DataFrame) -> pd.DataFrame:
    """Alignment of each mixture by one metric: the mean of its parts'."""
    joined = shares.merge(pairs.assign(corpus=pairs["source"].str.removesuffix(".train")), on="corpus")
    joined["eval_set"] = joined["target"].str.removesuffix(".eval")
    for column in ("alignment", "ci_low", "ci_high", "calibrated", "calibrated_low", "calibrated_high"):
        joined[column] *= joined["share"]
    return joined.groupby(["metric", "train_set", "eval_set"], as_index=False).sum(numeric_only=True)


def analyse(folder: Path, names: tuple[str, ...] = ("small", "large")) -> dict[str, Path]:
    """Write the tables of these experiments, and run the programs of the analysis on them."""
    rng = np.random.default_rng(3)
    experiments = json.dumps([entry for entry in EXPERIMENTS if entry["name"] in names])
    runs = {name: mixtures(name, rng) for name in SIZES}
    pairs = alignment(rng)
    files = {name: folder / f"{name}.parquet" for name in ("alignment", "loss_summary")}
    write_table(pairs, files["alignment"])
    write_table(
        pd.concat([summary_of_recorded(name, runs[name][1]) for name in names], ignore_index=True),
        files["loss_summary"],
    )
    inputs: list[str] = []
    for name in names:
        for table, what in zip(runs[name], ("shares", "losses"), strict=True):
            path = folder / f"{name}.{what}.parquet"
            write_table(table, path)
            inputs += [f"--{what}", f"{name}={path}"]
    all_shares = pd.concat([runs[name][0] for name in names])
    of_mixtures = []
    for metric, rows in pairs.groupby("metric"):
        of_mixtures.append(str(folder / f"mixtures.{metric}.parquet"))
        write_table(mixed(rows, all_shares), Path(of_mixtures[-1]))

    def outputs(options: dict[str, str]) -> list[str]:
        files.update({name: folder / f"{name}.parquet" for name in options.values()})
        return [word for option, name in options.items() for word in (option, str(files[name]))]

    known = ["--experiments", experiments, "--alignment", str(files["alignment"])]
    known += ["--mixtures", *of_mixtures]
    rank_mixtures.main(
        [
            *(*known, *inputs, "--proxies", "8", "16", "--draws", "2", "--resamples", "40", "--seed", "0"),
            *outputs(OUTSIDE),
        ]
    )
    known += ["--losses", str(files["loss_summary"])]
    correlate_losses.main(
        [
            *(*known, "--permutations", "50", "--bootstraps", "20", "--seed", "0"),
            *outputs(
                {
                    "--output": "correlation",
                    "--points": "points",
                    "--differences": "metric_differences",
                    "--leave-one-out": "leave_one_out",
                }
            ),
        ]
    )
    choose_data.main([*known, *outputs({"--output": "choice", "--cost-output": "choice_cost"})])
    losses = ["--experiments", experiments, "--losses", str(files["loss_summary"])]
    measure_exchange_rate.main([*losses, *outputs({"--output": "exchange_rate"})])
    return files

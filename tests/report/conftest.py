"""A run made up from a seed: sets, alignments and losses; everything else comes from the analysis itself."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.report import recorded_run
from workflow_scripts import (
    analyse_published,
    choose_data,
    compare_probes,
    correlate_losses,
    measure_exchange_rate,
    predict_losses,
    weigh_switches,
)
from workflow_scripts.report.figures.switches import NAMES
from workflow_scripts.report.tables import read_tables
from workflow_scripts.statistics.switches import ALL
from workflow_scripts.storage.tables import write_json, write_table

REPOSITORY = Path(__file__).parents[2]
METRICS = ("task2vec", "unigram_js", "gzip_pairs", "tfidf_cosine")
SCIENCE = ("headers", "science_25", "science_50", "science_75", "science")
EXPERIMENTS: list[dict[str, Any]] = [
    {
        "name": "pretraining",
        "kind": "pretraining",
        "recipe": "from_scratch",
        "train_sets": [*SCIENCE, "shuffled", "vocabulary"],
        "controls": ["vocabulary"],
        "eval_sets": ["science", "headers", "code", "reference", "licences", "stubs"],
        "tokens": [262144],
        "in_domain_for": {"science": ["science"], "headers": ["headers"]},
    },
    {
        "name": "finetuning",
        "kind": "finetuning",
        "recipe": "from_probe",
        "train_sets": ["pairs", "unpaired", "prose", "other_pairs", "code_pairs", "headers"],
        "eval_sets": ["pairs", "other_pairs", "code_pairs"],
        "tokens": [32768],
        "target": "pairs",
        "in_domain_for": {"pairs": ["pairs"]},
    },
    {
        "name": "grid",
        "kind": "intervention",
        "recipe": "from_scratch",
        "train_sets": list(SCIENCE),
        "eval_sets": ["science"],
        "tokens": [32768, 65536, 131072, 262144],
        "target": "science",
        "fractions": dict(zip(SCIENCE, (0.0, 0.25, 0.5, 0.75, 1.0), strict=True)),
    },
]


class MadeUpRun:
    """Sets are points in a plane; alignment falls with their distance, and so, `strength` times, does loss."""

    def __init__(self, folder: Path, seed: int, strength: float = 1.0, n_seeds: int = 2):
        self.folder, self.strength, self.n_seeds = folder, strength, n_seeds
        self.rng = np.random.default_rng(seed)
        train = {name for e in EXPERIMENTS for name in e["train_sets"]}
        evaluated = {name for e in EXPERIMENTS for name in e["eval_sets"]}
        self.places = {name: self.rng.normal(size=2) for name in sorted(train | evaluated)}
        for name, share in zip(SCIENCE, (0.0, 0.25, 0.5, 0.75, 1.0), strict=True):
            self.places[name] = share * self.places["science"] + (1 - share) * self.places["headers"]
        self.sets = sorted({f"{name}.train" for name in train} | {f"{name}.eval" for name in evaluated})
        self.hardness = {name: self.rng.normal(5, 0.6) for name in sorted(evaluated)}

    def distance(self, source: str, target: str) -> float:
        first, second = (self.places[name.split(".")[0]] for name in (source, target))
        return float(np.linalg.norm(first - second))

    def alignment(self) -> pd.DataFrame:
        rows = []
        for place, metric in enumerate(METRICS):
            for source in self.sets:
                for target in self.sets:
                    noise = 0.05 * (place + 1) * self.rng.normal()
                    value = math.exp(-self.distance(source, target) / 2 - 0.1 + 0.5 * noise)
                    calibrated = (value - 0.1) / 0.8
                    rows.append(
                        {
                            "metric": metric,
                            "source": source,
                            "target": target,
                            "alignment": value,
                            "ci_low": value - 0.03,
                            "ci_high": value + 0.03,
                            "floor": 0.1,
                            "ceiling": 0.9,
                            "calibrated": calibrated,
                            "calibrated_low": calibrated - 0.04,
                            "calibrated_high": calibrated + 0.04,
                            "rows": 32,
                            "tokens": 4096,
                            "n_source_batches": 8,
                            "n_target_batches": 8,
                        }
                    )
        return pd.DataFrame(rows)

    def other_probes(self) -> list[str]:
        """Options that name the alignments of the first metric by two more probes."""
        options = []
        for probe in ("seed-1", "seed-2"):
            path = self.folder / f"{probe}.parquet"
            alignment = self.alignment()
            write_table(alignment[alignment["metric"] == METRICS[0]], path)
            options += ["--of-probe", f"{probe}={path}"]
        return options

    def switch_alignments(self) -> pd.DataFrame:
        """Of 4 batches a set, with every switch flipped from either end; correcting one adds .02 to alignment."""
        rng = np.random.default_rng(0)
        rows = []
        for end, level in (("published", 0.4), ("corrected", 0.6)):
            for switch in (None, *(name for name in NAMES if name != ALL)):
                is_corrected = (end == "published") == (switch is not None) and switch != "same_batches"
                step = 0.0 if switch is None else 0.02 if end == "published" else -0.02
                for source in ("science", "science_50", "headers"):
                    for target in ("science", "headers"):
                        for batch in range(16):
                            rows.append(
                                {
                                    "end": end,
                                    "switch": switch,
                                    "is_corrected": is_corrected,
                                    "train_set": source,
                                    "eval_set": target,
                                    "source_batch": batch // 4,
                                    "target_batch": batch % 4,
                                    "alignment": level
                                    + step
                                    - 0.1 * self.distance(source, target)
                                    + 0.005 * rng.normal(),
                                    "note": "",
                                }
                            )
        return pd.DataFrame(rows)

    def costs(self) -> pd.DataFrame:
        rows = [
            {"metric": metric, "set": name, "seconds": float(0.2 * 3 ** (len(METRICS) - place))}
            for place, metric in enumerate(METRICS)
            for name in self.sets
        ]
        return pd.DataFrame(rows)

    def losses(self) -> pd.DataFrame:
        rows = []
        for experiment in EXPERIMENTS:
            fractions = experiment.get("fractions", {})
            for train_set in experiment["train_sets"]:
                for eval_set in experiment["eval_sets"]:
                    for tokens in experiment["tokens"]:
                        for seed in range(self.n_seeds):
                            loss = (
                                self.hardness[eval_set]
                                + self.strength * 0.5 * self.distance(train_set, eval_set)
                                - 0.3 * math.log2(tokens / 32768)
                                + 0.05 * self.rng.normal()
                            )
                            rows.append(
                                {
                                    "experiment": experiment["name"],
                                    "train_set": train_set,
                                    "eval_set": eval_set,
                                    "part": "whole",
                                    "tokens": tokens,
                                    "fraction": fractions.get(train_set, math.nan),
                                    "seed": seed,
                                    "n_documents": 40,
                                    "n_tokens": 8192,
                                    "n_bytes": 30000,
                                    "loss": loss,
                                    "loss_se": 0.05,
                                    "bits_per_byte": loss / 3,
                                    "bits_per_byte_se": 0.02,
                                    "perplexity": math.exp(loss),
                                    "perplexity_se": 1.0,
                                }
                            )
        return pd.DataFrame(rows)

    @staticmethod
    def ngram_losses(losses: pd.DataFrame) -> pd.DataFrame:
        """Worse than the models, by a fifth of their loss."""
        keys = ["experiment", "train_set", "eval_set", "part", "tokens"]
        means = losses.groupby(keys, sort=False, as_index=False)["loss"].mean()
        means["from_scratch"] = means["experiment"] != "finetuning"
        return means.assign(
            loss=1.2 * means["loss"], order=5, seed=0, n_tokens=8000, tokens_read=means["tokens"]
        )

    def times(self) -> list[str]:
        """Options that name a file of seconds per training set."""
        options = []
        for name in sorted({name for e in EXPERIMENTS for name in e["train_sets"]}):
            path = self.folder / f"{name}.json"
            write_json([{"seed": 0, "tokens": 262144, "seconds": 20.0}], path)
            options += ["--times", f"{name}={path}"]
        return options

    def analyse(self) -> dict[str, Path]:
        """Write the made-up tables and run the programs of the analysis on them."""
        folder = self.folder
        made_up = {
            "alignment": self.alignment(),
            "alignment_cost": self.costs(),
            "loss_summary": self.losses(),
        }
        made_up["ngram_summary"] = self.ngram_losses(made_up["loss_summary"])
        files = {name: folder / f"{name}.parquet" for name in made_up}
        for name, frame in made_up.items():
            write_table(frame, files[name])
        inputs = ["--alignment", str(files["alignment"]), "--losses", str(files["loss_summary"])]
        inputs += ["--experiments", json.dumps(EXPERIMENTS)]

        def output(name: str) -> str:
            files[name] = folder / f"{name}.parquet"
            return str(files[name])

        correlate_losses.main(
            [
                *inputs,
                *("--permutations", "200", "--bootstraps", "50", "--seed", "0", "--given", "unigram_js"),
                *("--output", output("correlation"), "--points", output("points")),
                *("--differences", output("metric_differences"), "--leave-one-out", output("leave_one_out")),
            ]
        )
        choose_data.main(
            [
                *inputs,
                "--alignment-cost",
                str(files["alignment_cost"]),
                *self.times(),
                "--output",
                output("choice"),
                "--cost-output",
                output("choice_cost"),
            ]
        )
        compare_probes.main(
            [
                *(*inputs, "--first", "seed-0", *self.other_probes()),
                *("--output", output("probe_spread")),
            ]
        )
        predict_losses.main([*inputs, "--beside", "unigram_js", "--output", output("predictions")])
        measure_exchange_rate.main([*inputs[2:], "--output", output("exchange_rate")])
        write_table(self.switch_alignments(), folder / "switch_alignments.parquet")
        weigh_switches.main(
            [
                *("--alignments", str(folder / "switch_alignments.parquet")),
                *("--losses", str(files["loss_summary"]), "--experiment", "pretraining"),
                *("--output", output("switches")),
            ]
        )
        analyse_published.main(
            [
                *("--folder", str(REPOSITORY / "published"), "--permutations", "100", "--seed", "0"),
                *("--output", output("published"), "--points", output("published_points")),
            ]
        )
        return files


PROVENANCE = {
    "commit": "0123456789abcdef",
    "python": "3.11.7",
    "packages": {"torch": "2.13.0", "altair": "6.3.0"},
    "config": {"run": "made-up", "seed": 0},
    "corpora": {
        "science": {
            "source": "environment: docstrings",
            "documents": {"train": 6600, "eval": 815},
            "bytes": {"train": 3218578, "eval": 452006},
            "duplicates_removed": 193,
            "near_duplicates_removed": {"of_own_train_side": 112, "of_other_corpora": 0},
            "content_hash": "89101d6b626e07dd7523f12fd459e582",
            "licence": {"scipy": "BSD <License>"},
            "revision": "Python 3.11.7",
        }
    },
    "probes": {"seed-0": {"tokens": 1000000}},
}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tables of a run in which alignment does predict loss."""
    return MadeUpRun(tmp_path_factory.mktemp("run"), seed=1).analyse()


@pytest.fixture(scope="session")
def tables(files: dict[str, Path]) -> dict[str, pd.DataFrame]:
    return read_tables(files)


@pytest.fixture(scope="session")
def unrelated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Tables of a run with one seed in which loss has nothing to do with alignment."""
    run = MadeUpRun(tmp_path_factory.mktemp("unrelated"), seed=7, strength=0.0, n_seeds=1)
    return read_tables(run.analyse())


@pytest.fixture(scope="session")
def provenance_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("provenance") / "provenance.json"
    write_json(PROVENANCE, path)
    return path


@pytest.fixture(scope="session")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Tables of a run in which a training job failed, another diverged, and a measure has no scale."""
    run = MadeUpRun(tmp_path_factory.mktemp("damaged"), seed=1)
    losses, alignment = run.losses(), run.alignment()
    losses = losses[~((losses["train_set"] == "science_50") | (losses["train_set"] == "prose"))]
    losses.loc[(losses["train_set"] == "headers") & (losses["tokens"] == 262144), "loss"] = math.nan
    unscaled = alignment["metric"] == "gzip_pairs"
    alignment.loc[unscaled, ["calibrated", "calibrated_low", "calibrated_high"]] = math.nan
    run.losses, run.alignment = lambda: losses, lambda: alignment  # type: ignore[method-assign]
    return read_tables(run.analyse())


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Tables of a run of two recorded experiments: small models as proxies, large ones to predict."""
    return read_tables(recorded_run.analyse(tmp_path_factory.mktemp("recorded")))

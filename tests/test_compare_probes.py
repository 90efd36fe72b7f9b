"""What other probes gave stands beside the first one's values, and changes none of them."""

import json

import numpy as np
import pandas as pd
import pytest

from workflow_scripts import choose_data, compare_probes, correlate_losses
from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import read_frame, write_table

TRAIN, EVAL = [f"t{i}" for i in range(7)], [f"e{i}" for i in range(4)]
EXPERIMENT = {"name": "one", "kind": "pretraining", "train_sets": TRAIN, "eval_sets": EVAL}
KEY = ["experiment", "part", "tokens", "metric", "scope", "statistic"]


def alignments(seed, metrics):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "metric": metric,
            "source": f"{train}.train",
            "target": f"{target}.eval",
            **dict.fromkeys(
                ("ci_low", "ci_high", "calibrated", "calibrated_low", "calibrated_high"), float("nan")
            ),
            "alignment": -i - j + rng.normal(),
        }
        for metric in metrics
        for i, train in enumerate(TRAIN)
        for j, target in enumerate(EVAL)
    )


@pytest.fixture
def files(tmp_path):
    """Two metrics by the first probe; the one that depends on it by two more."""
    rng = np.random.default_rng(9)
    losses = pd.DataFrame(
        {
            "experiment": "one",
            "part": "whole",
            "tokens": 100,
            "seed": seed,
            "train_set": train,
            "eval_set": target,
            "loss": 3 + i + j + rng.normal(),
        }
        for seed in (0, 1)
        for i, train in enumerate(TRAIN)
        for j, target in enumerate(EVAL)
    )
    tables = {
        "losses": losses,
        "alignment": alignments(0, ("task2vec", "unigram_js")),
        "seed-1": alignments(1, ("task2vec",)),
        "seed-2": alignments(2, ("task2vec",)),
    }
    for name, table in tables.items():
        write_table(table, tmp_path / f"{name}.parquet")
    return tmp_path


def common(files):
    return [
        *("--alignment", str(files / "alignment.parquet"), "--losses", str(files / "losses.parquet")),
        *("--experiments", json.dumps([EXPERIMENT])),
    ]


def compared(files, first="seed-0"):
    others = [f"--of-probe={name}={files / name}.parquet" for name in ("seed-1", "seed-2")]
    output = files / "spread.parquet"
    compare_probes.main([*common(files), "--first", first, *others, "--output", str(output)])
    return read_frame(output)


def test_only_measures_of_other_probes_are_compared_and_the_first_probe_comes_first(files):
    spread = compared(files)
    assert set(spread["metric"]) == {"task2vec"}
    assert list(dict.fromkeys(spread["probe"])) == ["seed-0", "seed-1", "seed-2"]
    assert not spread.duplicated([*KEY, "probe"]).any()
    values = spread[(spread["statistic"] == "pearson_r") & (spread["scope"] == "within_eval")]["value"]
    assert values.nunique() == 3


def test_the_first_probes_values_are_those_of_the_tables_of_correlations_and_choices(files):
    spread = compared(files)
    first = spread[spread["probe"] == "seed-0"].set_index(KEY)
    outputs = {name: files / f"{name}.parquet" for name in ("correlation", "points", "choice", "cost")}
    correlate_losses.main(
        [
            *(*common(files), "--permutations", "100", "--bootstraps", "20", "--seed", "0"),
            *("--output", str(outputs["correlation"]), "--points", str(outputs["points"])),
        ]
    )
    correlation = read_frame(outputs["correlation"]).set_index(KEY)
    r = first[first.index.get_level_values("statistic").isin(["pearson_r", "spearman"])]
    assert len(r) == 6
    for column in ("value", "ci_low", "ci_high"):
        assert correlation.loc[r.index, column].to_numpy() == pytest.approx(r[column].to_numpy(), abs=0)
    choose_data.main(
        [*common(files), "--output", str(outputs["choice"]), "--cost-output", str(outputs["cost"])]
    )
    choice = read_frame(outputs["choice"])
    (mean,) = choice[(choice["metric"] == "task2vec") & choice["eval_set"].isna()].to_dict("records")
    for statistic in ("top1", "regret", "regret_fraction", "kendall_tau"):
        row = first.loc[("one", "whole", 100, "task2vec", "all", statistic)]
        expected = [mean[f"{statistic}{end}"] for end in ("", "_low", "_high")]
        assert row[["value", "ci_low", "ci_high"]].tolist() == pytest.approx(expected, abs=0, nan_ok=True)


def test_the_first_probe_is_not_given_twice(files):
    with pytest.raises(UserError, match="--of-probe seed-1: it is the first probe"):
        compared(files, first="seed-1")

"""The program that measures k(x)."""

import json
from pathlib import Path

import pandas as pd
import pytest

from workflow_scripts.measure_exchange_rate import main
from workflow_scripts.storage.tables import read_frame, write_table

EXPERIMENT = {
    "name": "x",
    "kind": "intervention",
    "recipe": "r",
    "train_sets": ["pure", "half"],
    "eval_sets": ["e"],
    "tokens": [100, 200, 400],
    "fractions": {"pure": 1.0, "half": 0.5},
    "target": "e",
}


def test_writes_one_row_per_training_set_and_level(tmp_path: Path) -> None:
    losses = pd.DataFrame(
        {
            "experiment": "x",
            "train_set": name,
            "eval_set": "e",
            "part": "whole",
            "tokens": tokens,
            "fraction": fraction,
            "seed": seed,
            "loss": 9 - tokens / 100 + 2 * (1 - fraction) + 0.001 * seed,
        }
        for name, fraction in EXPERIMENT["fractions"].items()
        for tokens in EXPERIMENT["tokens"]
        for seed in (0, 1)
    )
    write_table(losses, tmp_path / "losses.parquet")
    output = tmp_path / "k.parquet"
    others = {**EXPERIMENT, "name": "y", "kind": "pretraining", "fractions": None, "target": None}
    main(
        [
            "--losses",
            str(tmp_path / "losses.parquet"),
            "--output",
            str(output),
            "--experiments",
            json.dumps([EXPERIMENT, others]),
        ]
    )
    table = read_frame(output)
    assert list(table["train_set"]) == ["pure", "pure", "half", "half"]
    assert list(table["level_tokens"]) == [100, 200] * 2
    first, second = (row for _, row in table[table["train_set"] == "half"].iterrows())
    assert first["k"] == pytest.approx(2, rel=1e-3) and first["k_low"] < 2 < first["k_high"]
    assert second["k"] == pytest.approx(2**0.5, rel=1e-3)
    assert first["trend"] == pytest.approx(2**-0.5, rel=1e-3)


def test_one_budget_gives_an_empty_table(tmp_path: Path) -> None:
    columns = ["experiment", "train_set", "eval_set", "part", "tokens", "seed", "loss"]
    rows = [["x", name, "e", "whole", 100, 0, 3.0] for name in ("pure", "half")]
    write_table(pd.DataFrame(rows, columns=columns), tmp_path / "losses.parquet")
    output = tmp_path / "k.parquet"
    files = ["--losses", str(tmp_path / "losses.parquet"), "--output", str(output)]
    main([*files, "--experiments", json.dumps([EXPERIMENT])])
    table = read_frame(output)
    assert len(table) == 0 and table["k"].dtype == float

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


def test_writes_one_row_per_training_set(tmp_path: Path) -> None:
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
    table = read_frame(output).set_index("train_set")
    assert list(table.index) == ["pure", "half"]
    assert table.loc["half", "k"] == pytest.approx(2, rel=1e-3)
    assert table.loc["half", "k_low"] < 2 < table.loc["half", "k_high"]
    assert table.loc["half", "target_tokens"] == 100


def test_no_intervention_gives_an_empty_table(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"experiment": ["z"]}), tmp_path / "losses.parquet")
    output = tmp_path / "k.parquet"
    entry = {**EXPERIMENT, "target": None}
    main(
        [
            "--losses",
            str(tmp_path / "losses.parquet"),
            "--output",
            str(output),
            "--experiments",
            json.dumps([entry]),
        ]
    )
    table = read_frame(output)
    assert len(table) == 0 and table["k"].dtype == float

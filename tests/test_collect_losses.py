import json

import pandas as pd
import pytest

from workflow_scripts import collect_losses
from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import read_frame, read_json, write_table

EXPERIMENT = {
    "name": "mixed",
    "kind": "intervention",
    "recipe": "trunk",
    "train_sets": ["x", "y"],
    "eval_sets": ["z"],
    "tokens": [64],
    "fractions": {"x": 0.25},
    "target": "z",
}


@pytest.fixture
def run_job(tmp_path):
    rows = [
        ("x", "z", "whole", 64, seed, doc_id, nll, 10, 40)
        for seed in (0, 1)
        for doc_id, nll in (("a", 30.0), ("b", 20.0))
    ]
    columns = ["train_set", "eval_set", "part", "tokens", "seed", "doc_id", "nll", "n_tokens", "n_bytes"]
    write_table(pd.DataFrame(rows, columns=columns), tmp_path / "z.parquet")

    def run(*losses):
        names = ("losses", "summary", "missing")
        out = {name: tmp_path / f"{name}.out" for name in names}
        collect_losses.main(
            [
                *("--experiments", json.dumps([EXPERIMENT]), *losses, "--losses-output", str(out["losses"])),
                *("--summary", str(out["summary"]), "--missing", str(out["missing"])),
            ]
        )
        return read_frame(out["losses"]), read_frame(out["summary"]), read_json(out["missing"])

    return run


def test_losses_are_collected_and_what_is_missing_is_listed(run_job, tmp_path):
    losses, summary, missing = run_job("--losses", f"trunk={tmp_path / 'z.parquet'}")
    assert len(losses) == 4 and set(losses["fraction"]) == {0.25}
    assert summary[["experiment", "train_set", "seed", "n_documents", "loss"]].to_numpy().tolist() == [
        ["mixed", "x", 0, 2, 2.5],
        ["mixed", "x", 1, 2, 2.5],
    ]
    assert [(one["train_set"], one["seed"]) for one in missing["missing"]] == [("y", 0), ("y", 1)]
    assert missing["not_finite"] == []


def test_nothing_to_collect_is_a_mistake(run_job):
    with pytest.raises(UserError, match="no model has been evaluated"):
        run_job()


def test_a_file_needs_its_recipe(run_job, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run_job("--losses", str(tmp_path / "z.parquet"))
    assert "is not of the form NAME=FILE" in capsys.readouterr().err

import json

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.collapse_losses import main
from workflow_scripts.storage.tables import read_frame, write_table

SETS = ("x", "y", "z", "xy")


@pytest.fixture
def run_job(tmp_path):
    def write_inputs(target):
        gaps = {"x": 0.0, "y": 0.3, "z": 0.1}
        rows = [("m", f"{name}.train", f"{target}.eval", 0.9 - gap) for name, gap in gaps.items()]
        rows.append(("m", f"{target}.eval", f"{target}.eval", 0.95))
        alignment = pd.DataFrame(rows, columns=["metric", "source", "target", "alignment"])
        write_table(
            alignment.assign(ci_low=alignment["alignment"] - 0.01, ci_high=alignment["alignment"] + 0.01),
            tmp_path / "alignment.parquet",
        )
        worth = {"x": 1.0, "y": 0.05, "z": 0.3, "xy": 0.525}
        losses = [
            ("e", "whole", name, target, tokens, 0, 9 - 0.4 * np.log(500 + tokens * worth[name]))
            for name in SETS
            for tokens in (10_000, 40_000, 160_000)
        ]
        columns = ["experiment", "part", "train_set", "eval_set", "tokens", "seed", "loss"]
        write_table(pd.DataFrame(losses, columns=columns), tmp_path / "losses.parquet")

    def run(target="x", **changes):
        write_inputs(target)
        one = {"name": "e", "kind": "pretraining", "train_sets": list(SETS), "eval_sets": [target], **changes}
        others = [{"name": "r", "kind": "recorded", "eval_sets": ["x"]}]
        words = [
            "--alignment",
            str(tmp_path / "alignment.parquet"),
            "--experiments",
            json.dumps([one, *others]),
        ]
        words += ["--losses", str(tmp_path / "losses.parquet")]
        words += ["--mixed-of", json.dumps({"xy": {"x": 0.5, "y": 0.5}, "x": {"x": 1.0}})]
        words += ["--output", str(tmp_path / "f.parquet"), "--curves", str(tmp_path / "c.parquet")]
        main([*words, "--worth", str(tmp_path / "w.parquet")])
        return [read_frame(tmp_path / f"{name}.parquet") for name in "fcw"]

    return run


def test_a_row_per_target_a_point_per_run_a_worth_per_corpus(run_job):
    fits, curves, worth = run_job()
    assert fits["r2"].item() > 0.8
    assert len(curves) == 12
    assert set(worth["corpus"]) == {"x", "y", "z"}  # the mixture is split up


def test_an_experiment_with_too_few_runs_has_no_rows(run_job):
    fits, curves, _ = run_job(tokens=[10_000])
    assert fits.empty and curves.empty


def test_a_run_in_which_no_corpus_has_both_sides(run_job):
    fits, _, worth = run_job(target="elsewhere")
    assert fits["r2"].item() > 0.8
    assert np.isfinite(fits["tau"].item())
    assert (worth["worth"] > 0).all()

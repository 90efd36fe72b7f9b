"""The program that predicts losses that were left out."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.test_choose_data import write_inputs
from workflow_scripts.predict_losses import main
from workflow_scripts.storage.tables import read_frame, write_table


def options(folder: Path) -> list[str]:
    found = write_inputs(folder)
    return [*found[:4], "--experiments", found[found.index("--experiments") + 1]]


def test_losses_on_a_line_are_predicted_without_error_and_short_runs_stand_beside(tmp_path: Path) -> None:
    given = options(tmp_path)
    losses = read_frame(tmp_path / "losses.parquet")
    longer = losses.assign(tokens=200, loss=losses["loss"] - 1)
    write_table(pd.concat([losses, longer], ignore_index=True), tmp_path / "losses.parquet")
    main([*given, "--beside", "m", "--output", str(tmp_path / "predictions.parquet")])
    table = read_frame(tmp_path / "predictions.parquet")
    own = table[(table["scope"] == "within_eval") & (table["metric"] == "m")]
    assert set(own["left_out"]) == {"train_set", "eval_set"}
    # Alignment is 0, 1 and 2, and loss falls by 1 with each.
    assert own["slope"].to_numpy() == pytest.approx(-1)
    assert own["error"].to_numpy() == pytest.approx(0, abs=1e-9)
    assert set(table.loc[table["metric"] == "short_run", "tokens"]) == {200}
    assert (table["beside"] == "").all()


def test_recorded_experiments_are_left_to_the_law(tmp_path: Path) -> None:
    given = options(tmp_path)
    (experiment,) = json.loads(given[-1])
    given[-1] = json.dumps([{**experiment, "kind": "recorded"}])
    main([*given, "--output", str(tmp_path / "predictions.parquet")])
    assert read_frame(tmp_path / "predictions.parquet").empty

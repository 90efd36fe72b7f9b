"""The program that chooses training data."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.choose_data import main
from workflow_scripts.errors import UserError
from workflow_scripts.statistics.choice import with_seconds
from workflow_scripts.storage.tables import read_frame, write_json, write_table

TRAINS, EVALS = ["a", "b", "c"], ["e", "f"]
EXPERIMENTS = json.dumps(
    [{"name": "x", "kind": "pretraining", "recipe": "r", "train_sets": TRAINS, "eval_sets": EVALS}]
)


def write_inputs(folder: Path) -> list[str]:
    pairs = [(train, target, i) for i, train in enumerate(TRAINS) for target in EVALS]
    write_table(
        pd.DataFrame(
            {"metric": "m", "source": f"{train}.train", "target": f"{target}.eval", "alignment": float(i)}
            for train, target, i in pairs
        ),
        folder / "alignment.parquet",
    )
    write_table(
        pd.DataFrame(
            {
                "experiment": "x",
                "train_set": train,
                "eval_set": target,
                "part": "whole",
                "tokens": 50,
                "seed": seed,
                "loss": 4.0 - i + 0.01 * seed,
            }
            for train, target, i in pairs
            for seed in (0, 1)
        ),
        folder / "losses.parquet",
    )
    sets = [f"{name}.train" for name in TRAINS] + [f"{name}.eval" for name in EVALS]
    write_table(pd.DataFrame({"metric": "m", "set": sets, "seconds": 2.0}), folder / "cost.parquet")
    return [
        *("--alignment", str(folder / "alignment.parquet"), "--losses", str(folder / "losses.parquet")),
        *("--alignment-cost", str(folder / "cost.parquet"), "--experiments", EXPERIMENTS),
        *("--output", str(folder / "choice.parquet"), "--cost-output", str(folder / "choice_cost.parquet")),
    ]


def test_choices_with_costs(tmp_path: Path) -> None:
    options = write_inputs(tmp_path)
    for name in TRAINS:
        longer = [{"seed": seed, "tokens": 100, "seconds": 30.0 + 20 * seed} for seed in (0, 1)]
        write_json([*longer, {"seed": 0, "tokens": 400, "seconds": 1e6}], tmp_path / f"{name}.json")
        options += ["--times", f"r/{name}={tmp_path / f'{name}.json'}"]
    main(options)
    choice = read_frame(tmp_path / "choice.parquet")
    assert not choice.columns.str.contains("seconds").any()
    table = with_seconds(choice, read_frame(tmp_path / "choice_cost.parquet"))
    mean = table[(table["metric"] == "m") & table["eval_set"].isna()].iloc[0]
    assert mean["top1"] == 1 and mean["regret"] == 0 and mean["kendall_tau"] == pytest.approx(1)
    assert mean["cost_seconds"] == 10
    # Half of the mean of 30 and 50 seconds, for each of three candidates.
    assert mean["training_seconds"] == pytest.approx(60)
    chosen = table[(table["metric"] == "m") & (table["eval_set"] == "e")].iloc[0]
    assert chosen["chosen"] == chosen["best"] == "c"


def test_unknown_costs_are_null(tmp_path: Path) -> None:
    main(write_inputs(tmp_path))
    table = read_frame(tmp_path / "choice_cost.parquet")
    assert np.isnan(table["training_seconds"]).all()
    without = with_seconds(read_frame(tmp_path / "choice.parquet"), None)
    assert np.isnan(without["cost_seconds"]).all()


def test_a_wrong_times_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--times: 'a=/nowhere'"):
        main([*write_inputs(tmp_path), "--times", "a=/nowhere"])


def test_answers_are_chosen_for_by_alignments_of_answers_at_their_cost(tmp_path: Path) -> None:
    options = write_inputs(tmp_path)
    alignment, losses, cost = (
        read_frame(tmp_path / f"{name}.parquet") for name in ("alignment", "losses", "cost")
    )
    alignment, cost = alignment.assign(part="whole"), cost.assign(part="whole")
    answers = alignment.assign(part="answer", alignment=-alignment["alignment"])
    write_table(pd.concat([alignment, answers], ignore_index=True), tmp_path / "alignment.parquet")
    write_table(
        pd.concat([losses, losses.assign(part="answer")], ignore_index=True), tmp_path / "losses.parquet"
    )
    write_table(
        pd.concat([cost, cost.assign(part="answer", seconds=3.0)], ignore_index=True),
        tmp_path / "cost.parquet",
    )
    main(options)
    choice, seconds = read_frame(tmp_path / "choice.parquet"), read_frame(tmp_path / "choice_cost.parquet")
    means = with_seconds(choice, seconds)
    means = means[means["eval_set"].isna()].set_index(["metric", "part"])
    assert means.loc[("m", "answer"), ["top1", "cost_seconds"]].tolist() == [0.0, 15.0]
    assert means.loc[("m", "whole"), ["top1", "cost_seconds"]].tolist() == [1.0, 10.0]
    assert means.loc["m", "alignment_part"].to_dict() == {"answer": "answer", "whole": "whole"}

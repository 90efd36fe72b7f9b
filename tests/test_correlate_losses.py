"""The program that correlates alignment with loss, on made-up runs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.correlate_losses import main
from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import read_frame, write_table


class Run:
    """Files of a run with `n_train` x `n_eval` sets, in which `good` predicts loss and `blind` does not."""

    def __init__(self, folder: Path, n_train: int = 7, n_eval: int = 5, seeds: int = 2, metrics: int = 2):
        rng = np.random.default_rng(5)
        self.folder = folder
        trains, evals = [f"t{i}" for i in range(n_train)], [f"e{i}" for i in range(n_eval)]
        self.experiment: dict[str, Any] = {
            "name": "pre",
            "kind": "pretraining",
            "recipe": "r",
            "train_sets": trains,
            "eval_sets": evals,
            "tokens": None,
            "fractions": None,
            "in_domain_for": {"t0": ["e0"]},
        }
        fit = rng.normal(size=(n_train, n_eval))
        hard = 3 * rng.normal(size=n_eval)
        grids = {"good": fit, "blind": rng.normal(size=fit.shape)}
        self.alignment = pd.DataFrame(
            {
                "metric": metric,
                "source": f"{train}.train",
                "target": f"{target}.eval",
                "alignment": grid[i, j],
                **dict.fromkeys(
                    ("ci_low", "ci_high", "calibrated", "calibrated_low", "calibrated_high"), 0.5
                ),
            }
            for metric, grid in list(grids.items())[:metrics]
            for i, train in enumerate(trains)
            for j, target in enumerate(evals)
        )
        self.losses = pd.DataFrame(
            {
                "experiment": "pre",
                "train_set": train,
                "eval_set": target,
                "part": "whole",
                "tokens": 100,
                "seed": seed,
                "loss": 5 - fit[i, j] + hard[j] + 0.2 * rng.normal(),
            }
            for i, train in enumerate(trains)
            for j, target in enumerate(evals)
            for seed in range(seeds)
        )
        self.covariates = self.alignment[self.alignment["metric"] == "good"][["source", "target"]].assign(
            token_jaccard=rng.normal(size=fit.size),
            source_tokens=100.0,
            zero_shot_loss=np.tile(hard, n_train),
        )

    def analyse(self, *options: str) -> dict[str, pd.DataFrame]:
        paths = {name: self.folder / f"{name}.parquet" for name in ("output", "points")}
        for name in ("alignment", "losses", "covariates"):
            write_table(getattr(self, name), self.folder / f"{name}.parquet")
        main(
            [
                *("--alignment", str(self.folder / "alignment.parquet")),
                *("--losses", str(self.folder / "losses.parquet")),
                *("--experiments", json.dumps([self.experiment])),
                *("--output", str(paths["output"]), "--points", str(paths["points"])),
                *("--permutations", "200", "--bootstraps", "200", "--seed", "0", *options),
            ]
        )
        return {name: read_frame(path) for name, path in paths.items()}


def one(table: pd.DataFrame, **keys: str) -> pd.Series:
    chosen = table
    for column, value in keys.items():
        chosen = chosen[chosen[column] == value]
    assert len(chosen) == 1, keys
    return chosen.iloc[0]


def test_finds_the_metric_that_predicts(tmp_path: Path) -> None:
    run = Run(tmp_path)
    extra = [tmp_path / "differences.parquet", tmp_path / "left_out.parquet"]
    tables = run.analyse(
        *("--covariates", str(tmp_path / "covariates.parquet"), "--given", "blind"),
        *("--differences", str(extra[0]), "--leave-one-out", str(extra[1])),
    )
    table = tables["output"]
    good = one(table, metric="good", scope="within_eval", statistic="pearson_r")
    blind = one(table, metric="blind", scope="within_eval", statistic="pearson_r")
    assert good["value"] < -0.9 and good["ci_high"] < -0.5 and good["p_permutation"] < 0.01
    assert blind["ci_low"] < 0 < blind["ci_high"] and blind["families_needed"] > 7
    assert good["bootstrap_low"] < good["value"] < good["bootstrap_high"] < -0.5
    assert good["p_holm"] == pytest.approx(2 * good["p_permutation"])
    assert one(table, metric="good", scope="within_eval", statistic="partial_r_given_blind")["value"] < -0.9
    partial = one(table, metric="good", scope="within_eval", statistic="partial_r")
    assert partial["given"] == "token_jaccard"
    pooled = one(table, metric="good", scope="pooled", statistic="partial_r")
    assert pooled["given"] == "token_jaccard, zero_shot_loss" and pooled["value"] < -0.9
    share = one(table, metric="good", scope="pooled", statistic="variance_between_eval")["value"]
    assert 0.3 < share < 1
    difference = one(read_frame(extra[0]), scope="within_eval")
    assert (difference["metric"], difference["other"]) == ("blind", "good")
    assert difference["ci_low"] > 0
    left_out = read_frame(extra[1])
    chosen = left_out[(left_out["metric"] == "good") & (left_out["scope"] == "within_eval")]
    assert list(chosen["side"].value_counts()[["train", "eval"]]) == [7, 5]
    assert (chosen["pearson_r"] < -0.8).all()


def test_points_hold_mean_spread_and_domain(tmp_path: Path) -> None:
    run = Run(tmp_path)
    point = one(run.analyse()["points"], metric="good", train_set="t0", eval_set="e0")
    losses = run.losses[(run.losses["train_set"] == "t0") & (run.losses["eval_set"] == "e0")]["loss"]
    assert point["loss"] == pytest.approx(losses.mean()) and point["loss_sd"] == pytest.approx(losses.std())
    assert point["in_domain"] and point["n_seeds"] == 2 and point["alignment_low"] == 0.5


def test_out_of_domain_leaves_out_the_named_pair(tmp_path: Path) -> None:
    table = Run(tmp_path).analyse()["output"]
    assert one(table, metric="good", scope="out_of_domain_within", statistic="pearson_r")["n_points"] == 34


def test_few_training_sets_give_no_interval(tmp_path: Path) -> None:
    table = Run(tmp_path, n_train=4).analyse()["output"]
    row = one(table, metric="good", scope="within_eval", statistic="pearson_r")
    assert row["value"] < -0.9 and row[["ci_low", "p_permutation", "p_holm"]].isna().all()
    assert "4 training sets: no interval and no p" in row["note"]


def test_controls_are_left_out_but_for_scopes_of_their_own(tmp_path: Path) -> None:
    """A control that has everything in common and no low loss would undo the relation."""
    run = Run(tmp_path)
    run.alignment.loc[run.alignment["source"] == "t6.train", "alignment"] = 5.0
    run.experiment["controls"] = ["t6"]
    tables = run.analyse()
    row = one(tables["output"], metric="good", scope="within_eval", statistic="pearson_r")
    assert row["n_train"] == 6 and row["value"] < -0.9
    away = one(tables["output"], metric="good", scope="out_of_domain_within", statistic="pearson_r")
    assert away["n_points"] == 29 and away["value"] < -0.9
    with_it = one(tables["output"], metric="good", scope="with_controls_within", statistic="pearson_r")
    assert with_it["n_train"] == 7 and with_it["value"] > -0.7
    points = tables["points"]
    assert set(points.loc[points["is_control"], "train_set"]) == {"t6"}


def test_related_training_sets_are_counted_and_left_out_as_one_family(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.experiment["families"] = {"t1": "t1+t2", "t2": "t1+t2"}
    tables = run.analyse("--leave-one-out", str(tmp_path / "left_out.parquet"))
    row = one(tables["output"], metric="good", scope="within_eval", statistic="pearson_r")
    assert (row["n_train"], row["n_families"]) == (7, 6) and row["p_smallest"] == pytest.approx(1 / 720)
    left_out = read_frame(tmp_path / "left_out.parquet")
    chosen = left_out[(left_out["scope"] == "within_eval") & (left_out["side"] == "train")]
    assert set(chosen["left_out"]) == {"t0", "t1+t2", "t3", "t4", "t5", "t6"}


def test_one_seed_one_metric_and_missing_sets(tmp_path: Path) -> None:
    run = Run(tmp_path, seeds=1, metrics=1)
    run.experiment["train_sets"] = [*run.experiment["train_sets"], "absent"]
    run.losses = run.losses[~((run.losses["train_set"] == "t1") & (run.losses["eval_set"] == "e1"))]
    tables = run.analyse("--differences", str(tmp_path / "d.parquet"), "--given", "unigram_js")
    row = one(tables["output"], scope="double_centred", statistic="pearson_r")
    assert row["n_points"] == 34 and "absent" in row["note"] and row["value"] < -0.9
    assert tables["points"]["loss_sd"].isna().all()
    assert len(read_frame(tmp_path / "d.parquet")) == 0


def test_constant_alignment_is_explained(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.alignment["alignment"] = 0.3
    table = run.analyse()["output"]
    rows = table[table["statistic"].isin(["pearson_r", "spearman"])]
    assert rows["value"].isna().all() and rows["note"].str.contains("alignment is constant").all()


def test_one_evaluation_set(tmp_path: Path) -> None:
    table = Run(tmp_path, n_eval=1).analyse()["output"]
    row = one(table, metric="good", scope="pooled", statistic="pearson_r")
    assert row["value"] < -0.9 and "this evaluation set only" in row["note"]
    assert np.isnan(one(table, metric="good", scope="double_centred", statistic="pearson_r")["value"])


def test_no_losses_give_empty_tables(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.experiment["name"] = "other"
    tables = run.analyse()
    assert len(tables["output"]) == 0 and len(tables["points"]) == 0
    assert tables["output"]["value"].dtype == float


def test_mistakes_are_named(tmp_path: Path) -> None:
    run = Run(tmp_path)
    del run.experiment["train_sets"]
    with pytest.raises(UserError, match="'pre' lacks train_sets"):
        run.analyse()


def test_losses_of_answers_are_correlated_with_alignments_of_answers(tmp_path: Path) -> None:
    """Of answers `blind` predicts the losses of answers; of whole rows it does not, which stands beside it."""
    run = Run(tmp_path)
    run.losses = pd.concat([run.losses, run.losses.assign(part="answer")], ignore_index=True)
    answers = run.alignment[run.alignment["metric"] == "good"].assign(metric="blind", part="answer")
    run.alignment = pd.concat([run.alignment.assign(part="whole"), answers], ignore_index=True)
    tables = run.analyse("--differences", str(tmp_path / "differences.parquet"))
    table = tables["output"]
    key = {"metric": "blind", "scope": "within_eval", "part": "answer"}
    of_answers = one(table, statistic="pearson_r", **key)
    of_whole = one(table, statistic="pearson_r_of_whole", **key)
    assert of_answers["value"] < -0.9 and of_answers["alignment_part"] == "answer"
    assert abs(of_whole["value"]) < 0.5 and of_whole["alignment_part"] == "whole"
    assert of_whole["ci_low"] < of_whole["value"] < of_whole["ci_high"]
    unchanged = one(table, statistic="pearson_r", **{**key, "part": "whole"})
    assert unchanged["value"] == of_whole["value"] and unchanged["alignment_part"] == "whole"
    others = table[(table["metric"] == "good") | (table["part"] == "whole")]
    assert set(others["alignment_part"]) == {"whole"}
    assert not others["statistic"].eq("pearson_r_of_whole").any()
    differences = read_frame(tmp_path / "differences.parquet")
    of_part = differences[differences["scope"] == "within_eval"].set_index("part")["difference"]
    assert of_part["answer"] == pytest.approx(0) and abs(of_part["whole"]) > 0.5

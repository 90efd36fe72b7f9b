"""The published numbers, analysed again."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.analyse_published import main
from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import read_frame

PUBLISHED = Path(__file__).parents[1] / "published"
EFFORT = ("--permutations", "10000", "--seed", "0")
POOLED_R2 = {
    "pretraining_new": 0.838,
    "pretraining_old": 0.800,
    "finetuning_af": 0.963,
    "finetuning_docstring": 0.611,
    "gzip_gpt2_20k": 0.907,
    "gzip_gpt2_4k": 0.823,
    "gzip_llama3_8b_4k": 0.000,
    "gzip_unlabelled": 0.051,
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("published")
    output, points = folder / "published.parquet", folder / "points.parquet"
    main(["--folder", str(PUBLISHED), *EFFORT, "--output", str(output), "--points", str(points)])
    assert len(read_frame(points)) == 24 + 24 + 7 + 8 + 4 * 7
    return read_frame(output)


def value(table: pd.DataFrame, name: str, scope: str, statistic: str) -> float:
    chosen = table[(table["table"] == name) & (table["scope"] == scope) & (table["statistic"] == statistic)]
    assert len(chosen) == 1
    return float(chosen["value"].iloc[0])


def test_the_eight_pooled_r2_are_the_published_ones(table: pd.DataFrame) -> None:
    found = {name: round(value(table, name, "pooled", "r2"), 3) for name in POOLED_R2}
    assert found == POOLED_R2


def test_pretraining_effect_lives_between_evaluation_sets_and_in_domain(table: pd.DataFrame) -> None:
    assert value(table, "pretraining_new", "pooled", "variance_between_eval") > 0.8
    assert abs(value(table, "pretraining_new", "out_of_domain_within", "pearson_r")) < 0.2
    rows = table[(table["table"] == "pretraining_new") & (table["scope"] == "out_of_domain_pooled")]
    assert set(rows["n"]) == {15}


def test_two_corpora_and_their_mix_allow_no_interval_and_no_p(table: pd.DataFrame) -> None:
    rows = table[table["table"].str.startswith("pretraining")]
    assert rows["ci_low"].isna().all()
    assert np.isnan(value(table, "pretraining_new", "pooled", "p_permutation"))
    assert rows[rows["statistic"] == "pearson_r"]["note"].str.contains("no interval").all()


def test_intervals_and_exact_p_for_six_families(table: pd.DataFrame) -> None:
    rows = table[(table["table"] == "finetuning_af") & (table["scope"] == "pooled")].set_index("statistic")
    assert rows.loc["r2", "ci_low"] < 0.963 < rows.loc["r2", "ci_high"]
    count = rows.loc["p_permutation", "value"] * 720
    assert count == pytest.approx(np.round(count)) and count >= 1
    assert rows.loc["p_naive", "value"] == pytest.approx(9.3e-5, rel=0.01)


def test_gzip_without_proofnet_leaves_six_points(table: pd.DataFrame) -> None:
    rows = table[(table["table"] == "gzip_gpt2_4k") & (table["scope"] == "without_in_domain")]
    assert set(rows["n"]) == {6}


def test_output_is_the_same_bytes_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        main(["--folder", str(PUBLISHED), *EFFORT, "--output", str(tmp_path / name)])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    shutil.copy(PUBLISHED / "pretraining.csv", tmp_path)
    with pytest.raises(UserError, match=r"finetuning_task2vec\.csv"):
        main(["--folder", str(tmp_path), *EFFORT, "--output", str(tmp_path / "out.parquet")])

"""Skill at every number of rows is that of a table of alignments from so many rows; seconds are apart."""

import json

import pandas as pd
import pytest

from tests.test_compare_probes import EVAL, EXPERIMENT, TRAIN, alignments, common, files  # noqa: F401
from workflow_scripts import correlate_losses, weigh_rows
from workflow_scripts.statistics.rows_curve import best_size, with_seconds
from workflow_scripts.storage.tables import read_frame, write_table

SETS = [f"{name}.train" for name in TRAIN] + [f"{name}.eval" for name in EVAL]


@pytest.fixture
def curve(files):  # noqa: F811
    """Two sizes; the smaller one's alignments are those of `files`."""
    return weighed(files)


def weighed(files, without=()):  # noqa: F811
    """The curve; the sets `without` have too few rows for task2vec."""
    sizes = {64: read_frame(files / "alignment.parquet"), 128: alignments(5, ("task2vec", "unigram_js"))}
    table = pd.concat(
        [
            frame[["metric", "source", "target", "alignment"]].assign(
                rows=rows, source_rows=rows, target_rows=min(rows, 100)
            )
            for rows, frame in sizes.items()
        ]
    )
    cost = pd.DataFrame(
        {"metric": metric, "set": name, "rows": rows, "seconds": rows / 64}
        for metric in ("task2vec", "unigram_js")
        for rows in sizes
        for name in [*SETS, "of_no_experiment.train"]
    )
    left_out = table["source"].isin(without) | table["target"].isin(without)
    table = table[~(left_out & (table["metric"] == "task2vec"))]
    cost = cost[~(cost["set"].isin(without) & (cost["metric"] == "task2vec"))]
    for metric in ("task2vec", "unigram_js"):
        write_table(table[table["metric"] == metric], files / f"{metric}.rows.parquet")
        write_table(cost[cost["metric"] == metric], files / f"{metric}.cost.parquet")
    names = ("task2vec", "unigram_js")
    weigh_rows.main(
        [
            *("--alignment", *(str(files / f"{name}.rows.parquet") for name in names)),
            *("--cost", *(str(files / f"{name}.cost.parquet") for name in names)),
            *("--losses", str(files / "losses.parquet"), "--experiments", json.dumps([EXPERIMENT])),
            *("--output", str(files / "curve.parquet"), "--cost-output", str(files / "seconds.parquet")),
        ]
    )
    return with_seconds(read_frame(files / "curve.parquet"), read_frame(files / "seconds.parquet"))


def test_a_size_has_the_correlations_of_its_alignments(curve, files):  # noqa: F811
    correlate_losses.main(
        [
            *(*common(files), "--permutations", "100", "--bootstraps", "20", "--seed", "0"),
            *("--output", str(files / "correlation.parquet"), "--points", str(files / "points.parquet")),
        ]
    )
    key = ["metric", "scope", "statistic"]
    expected = read_frame(files / "correlation.parquet").set_index(key)
    found = curve[(curve["rows"] == 64) & (curve["statistic"] == "pearson_r")].set_index(key)
    assert len(found) == 6
    for column in ("value", "ci_low", "ci_high"):
        assert found[column].to_numpy() == pytest.approx(expected.loc[found.index, column].to_numpy(), abs=0)


def test_seconds_are_those_of_the_experiments_sets_and_the_smallest_set_is_named(curve):
    by_size = curve.groupby("rows")[["seconds", "fewest_rows"]].agg(["min", "max"])
    assert by_size.loc[64].tolist() == [11, 11, 64, 64]
    assert by_size.loc[128].tolist() == [22, 22, 100, 100]


def test_the_best_size_is_the_fewest_rows_of_the_most_negative_r(curve):
    r = curve[(curve["scope"] == "within_eval") & (curve["statistic"] == "pearson_r")]
    own = r[r["metric"] == "task2vec"].set_index("rows")["value"]
    assert best_size(curve, ["task2vec"], "within_eval") == ("task2vec", own.idxmin())
    same = curve.assign(value=-0.5)
    assert best_size(same, ["task2vec"], "within_eval") == ("task2vec", 64)
    assert best_size(curve, [], "within_eval") is None


def test_a_set_that_one_measure_cannot_carry_costs_that_measure_alone(files):  # noqa: F811
    every, fewer = weighed(files), weighed(files, without=[f"{TRAIN[0]}.train"])
    seconds = {
        name: curve.groupby(["metric", "rows"])["seconds"].first()
        for name, curve in (("every", every), ("fewer", fewer))
    }
    assert seconds["fewer"]["task2vec", 64] == seconds["every"]["task2vec", 64] - 1
    assert seconds["fewer"]["unigram_js", 64] == seconds["every"]["unigram_js", 64]
    of_words = {
        name: curve[curve["metric"] == "unigram_js"].reset_index(drop=True)
        for name, curve in (("every", every), ("fewer", fewer))
    }
    pd.testing.assert_frame_equal(of_words["fewer"], of_words["every"])
    r = fewer[(fewer["metric"] == "task2vec") & (fewer["statistic"] == "pearson_r")]
    assert r["value"].notna().any()

from pathlib import Path

import pandas as pd
import pytest

from workflow_scripts.metrics.calibration import NO_SCALE, calibrate
from workflow_scripts.metrics.registry import metric_class

RECORDS = Path(__file__).parents[2] / "docs" / "results"


def frame(values):
    """Alignments by (source, target), with an interval of 0.1 to both sides."""
    return pd.DataFrame(
        {
            "source": source,
            "target": target,
            "alignment": value,
            "ci_low": value - 0.1,
            "ci_high": value + 0.1,
        }
        for (source, target), value in values.items()
    )


VALUES = {
    ("a", "a"): 0.9,
    ("b", "a"): 0.5,
    ("noise", "a"): 0.1,
    ("a", "b"): 0.6,
    ("b", "b"): 0.8,
    ("noise", "b"): 0.2,
}
VALUES |= {("a", "noise"): 0.1, ("b", "noise"): 0.2, ("noise", "noise"): 0.7}
FLOORS = {"a": 0.1, "b": 0.2, "noise": 0.7}


def row(table, source, target):
    return table[(table["source"] == source) & (table["target"] == target)].iloc[0]


def test_floor_is_zero_ceiling_is_one_and_order_is_kept():
    table = calibrate(frame(VALUES), FLOORS, "noise", has_scale=True)
    assert row(table, "a", "a")["calibrated"] == pytest.approx(1)
    assert row(table, "noise", "b")["calibrated"] == pytest.approx(0)
    middle = row(table, "b", "a")
    assert (middle["floor"], middle["ceiling"]) == (0.1, 0.9)
    assert middle["calibrated"] == pytest.approx(0.5)
    assert (middle["calibrated_low"], middle["calibrated_high"]) == pytest.approx((0.375, 0.625))
    assert middle["why_not_calibrated"] is None or pd.isna(middle["why_not_calibrated"])


def test_the_floor_as_target_has_no_scale():
    table = calibrate(frame(VALUES), FLOORS, "noise", has_scale=True)
    part = table[table["target"] == "noise"]
    assert part["calibrated"].isna().all()
    assert set(part["why_not_calibrated"]) == {"noise is the floor itself"}


def test_one_source_below_the_floor_empties_the_scale_of_that_target_only():
    table = calibrate(frame(VALUES | {("b", "a"): 0.05}), FLOORS, "noise", has_scale=True)
    assert (
        table.loc[table["target"] == "a", ["calibrated", "calibrated_low", "calibrated_high"]]
        .isna()
        .all()
        .all()
    )
    assert "b at 0.05" in row(table, "a", "a")["why_not_calibrated"]
    assert table.loc[table["target"] == "b", "calibrated"].notna().all()


def test_a_measure_without_a_scale_has_none_for_any_target_and_keeps_floor_and_ceiling():
    table = calibrate(frame(VALUES), FLOORS, "noise", has_scale=False)
    assert table[["calibrated", "calibrated_low", "calibrated_high"]].isna().all().all()
    assert set(table["why_not_calibrated"]) == {NO_SCALE}
    assert (row(table, "b", "a")["floor"], row(table, "b", "a")["ceiling"]) == (0.1, 0.9)


def recorded_below_floor():
    """Per recorded run and measure: the share of evaluation sets for which some text is less alike than the floor."""
    found = []
    for path in sorted(RECORDS.glob("*/alignment/alignment.parquet")):
        table = pd.read_parquet(path)  # older records have no seal
        table = table[table["target"].str.endswith(".eval") & (table["source"] != "random_tokens.train")]
        below = (table["alignment"] <= table["floor"]).groupby([table["metric"], table["target"]]).any()
        found.append(below.groupby("metric").mean())
    return pd.concat(found)


def test_the_measures_without_a_scale_are_those_whose_floor_fails_in_recorded_runs():
    worst = recorded_below_floor().groupby("metric").max()
    without = {name for name in worst.index if not metric_class(name).has_scale}
    assert without == set(worst.index[worst > 1 / 3])

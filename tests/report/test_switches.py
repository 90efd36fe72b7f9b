"""The figure of switches: every flip of the program has a name and a place, and the sentences follow the numbers."""

import pandas as pd
import pytest

from workflow_scripts.fisher.switches import variants
from workflow_scripts.report.figures.switches import NAMES, STARTS, switches
from workflow_scripts.statistics.switches import ALL

Frames = dict[str, pd.DataFrame]


def test_every_switch_has_a_name() -> None:
    assert {variant.switch for variant in variants()} - {None} == set(NAMES) - {ALL}


def test_every_flip_has_a_row(tables: Frames) -> None:
    (figure,) = switches(tables)
    table = tables["switches"]
    assert len(figure.data) == table["switch"].notna().sum()
    assert figure.data["defect"].notna().all()
    assert set(figure.data["start"]) == {entry.value for entry in STARTS.entries}
    assert list(figure.data["defect"])[-1] == NAMES[ALL]
    expected = table.set_index("variant")["change_of_alignment"]
    assert list(figure.data["change_of_alignment"]) == list(
        expected[table.set_index("variant")["switch"].notna()]
    )


def test_the_summary_says_what_moved(tables: Frames) -> None:
    summary = switches(tables)[0].summary
    ends = tables["switches"].set_index("variant")["alignment_mean"]
    assert f"from {ends['published']:.2f} to {ends['corrected']:.2f}" in summary
    # Every flip that has an interval was made to move alignment by .02.
    assert summary.count("9 of 9 switches change it") == 2
    assert "with 3 training sets neither r nor a ranking can be tested" in summary


def test_the_summary_says_when_nothing_moved(tables: Frames) -> None:
    table = tables["switches"]
    has_interval = table["change_of_alignment_low"].notna()
    still = table.assign(kendall_tau=1.0)
    still.loc[has_interval, ["change_of_alignment_low", "change_of_alignment_high"]] = [-1.0, 1.0]
    summary = switches({"switches": still})[0].summary
    assert summary.count("none of 9 switches changes it") == 2
    assert "in 10 of 10 flips of the released algorithm, and in 10 of 10 of the corrected one" in summary


def test_the_summary_counts_rankings(tables: Frames) -> None:
    table = tables["switches"].assign(kendall_tau=1.0)
    table.loc[table["variant"] == "published, square corrected", "kendall_tau"] = 1 / 3
    assert (
        "in 9 of 10 flips of the released algorithm, and in 10 of 10"
        in switches({"switches": table})[0].summary
    )


def test_without_losses_no_correlation_is_claimed(damaged: Frames) -> None:
    (figure,) = switches(damaged)
    assert "their losses allow no correlation" in figure.summary
    assert [panel.title for panel in figure.panels] == ["Mean alignment"]
    assert figure.data["change_of_alignment"].notna().all()


@pytest.mark.parametrize("place", range(3))
def test_panels_show_the_change_and_its_interval(tables: Frames, place: int) -> None:
    (figure,) = switches(tables)
    text = str(figure.panels[place].chart.to_dict(validate=False))
    shown = {name for name in figure.data if f"{name}_low" in figure.data and f"'{name}'" in text}
    assert len(shown - {"kendall_tau"}) == 1
    assert "kendall_tau" in shown
    assert all(f"{name}{end}" in text for name in shown for end in ("_low", "_high"))

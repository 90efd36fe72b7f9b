"""The studies that the benchmark simulates have the families of the configs."""

import numpy as np
import pytest

from benchmarks.related_sets import Design, lines, shipped_designs


@pytest.fixture(scope="module")
def designs() -> dict[str, Design]:
    return {name: design for design in shipped_designs() for name in design.name.split(", ")}


def test_mixtures_have_the_shares_of_the_config_and_controls_are_out(designs: dict[str, Design]) -> None:
    design = designs["real.pretraining"]
    assert design.described == {"design": design.name, "train": 7, "families": 3, "eval": 14}
    assert all(np.isclose(design.shares.sum(axis=1), 1))
    mixtures = design.shares[(design.shares > 0).sum(axis=1) == 2]
    assert sorted(mixtures.max(axis=1)) == [0.5, 0.75, 0.75]


def test_sets_of_one_origin_share_a_source(designs: dict[str, Design]) -> None:
    design = designs["authors_4k.whole_corrected"]
    assert design.shares.shape == (11, 7) and sorted(design.shares.sum(axis=0)) == [1, 1, 1, 1, 1, 2, 4]


def test_the_old_test_fails_where_ours_holds() -> None:
    """Four of nine sets are made of one source: a true null is rejected far too often when they count as four."""
    families = np.array([0, 0, 0, 0, 1, 2, 3, 4, 5])
    design = Design("planted", np.eye(6)[families], families, 5)
    found = {row["method"]: row for row in lines([design], 150, 150, 0) if row["scope"] == "within_eval"}
    assert found["sets"]["rejects"] > 0.1 and found["families"]["rejects"] < 0.085
    assert found["families"]["covers"] > 0.92

"""Experiments as the statistics see them."""

import json

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.statistics.experiments import (
    experiments_from_json,
    panels,
    points,
    with_mixtures,
)

ENTRY = {"name": "x", "kind": "pretraining", "train_sets": ["a", "b"], "eval_sets": ["e"], "tokens": None}


def alignment(*sources: str) -> pd.DataFrame:
    names = ("ci_low", "ci_high", "calibrated", "calibrated_low", "calibrated_high")
    return pd.DataFrame(
        {
            "metric": "m",
            "source": source,
            "target": "e.eval",
            "alignment": 0.1 * i,
            **dict.fromkeys(names, np.nan),
        }
        for i, source in enumerate(sources)
    )


def losses(*rows: tuple[str, int, int, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["train_set", "tokens", "seed", "loss"])
    return frame.assign(experiment="x", eval_set="e", part="whole")


def test_reads_lists_numbers_and_nulls() -> None:
    entries = [{**ENTRY, "tokens": 5}, {**ENTRY, "tokens": [5, 6]}, {**ENTRY, "fractions": None}]
    read = experiments_from_json(json.dumps(entries))
    assert [experiment.tokens for experiment in read] == [(5,), (5, 6), ()]
    assert read[2].fractions == {} and not read[0].in_domain("a", "e")


@pytest.mark.parametrize("text", ["{", "{}", "[]", "[1]", json.dumps([{"name": "x"}])])
def test_mistakes_name_the_option(text) -> None:
    with pytest.raises(UserError, match="--experiments"):
        experiments_from_json(text)


def test_panels_by_budget_with_means_over_the_seeds_there_are() -> None:
    table = losses(
        ("a", 1, 0, 2.0), ("a", 1, 1, 4.0), ("b", 1, 0, 5.0), ("none", 0, 0, 9.0), ("a", 2, 0, 1.0)
    )
    one, two = panels(
        alignment("a.train", "b.train", "a.eval"), table, experiments_from_json(json.dumps([ENTRY]))
    )
    assert one.key == {"experiment": "x", "part": "whole", "tokens": 1} and two.tokens == 2
    assert one.loss.ravel() == pytest.approx([3.0, 5.0])
    assert one.without_seed(0)[0, 0] == 4.0 and np.isnan(one.without_seed(0)[1, 0])
    assert one.alignments["m"].ravel() == pytest.approx([0.0, 0.1])
    assert two.train_sets == ("a",) and "without b" in two.note
    chosen = experiments_from_json(json.dumps([{**ENTRY, "tokens": [2]}]))
    assert [panel.tokens for panel in panels(alignment("a.train"), table, chosen)] == [2]


def test_points_leave_out_what_was_not_trained() -> None:
    table = losses(("a", 1, 0, 2.0), ("a", 1, 1, 4.0), ("none", 0, 0, 9.0))
    entry = {**ENTRY, "fractions": {"a": 0.5}, "in_domain_for": {"a": ["e"]}}
    found = points(alignment("a.train", "b.train"), table, experiments_from_json(json.dumps([entry])))
    assert len(found) == 1
    row = found.iloc[0]
    assert (row["loss"], row["n_seeds"], row["fraction"], row["in_domain"]) == (3.0, 2, 0.5, True)
    assert row["loss_sd"] == pytest.approx(np.sqrt(2))


def parted_alignment() -> pd.DataFrame:
    """By `m` of whole rows and of answers, which order the training sets the other way round; by `n` of whole rows."""
    whole = alignment("a.train", "b.train").assign(part="whole")
    answers = whole.assign(part="answer", alignment=[0.7, 0.2])
    return pd.concat([whole, answers, whole.assign(metric="n")], ignore_index=True)


def test_losses_of_answers_are_held_against_alignments_of_answers() -> None:
    table = losses(("a", 1, 0, 2.0), ("b", 1, 0, 5.0))
    both = pd.concat([table, table.assign(part="answer", loss=1.0)])
    experiments = experiments_from_json(json.dumps([ENTRY]))
    answers, whole = panels(parted_alignment(), both, experiments)
    assert (answers.part, whole.part) == ("answer", "whole")
    assert answers.alignments["m"].ravel() == pytest.approx([0.7, 0.2])
    assert answers.of_whole["m"].ravel() == pytest.approx([0.0, 0.1])
    assert answers.alignments["n"].ravel() == pytest.approx([0.0, 0.1])
    assert [answers.alignment_part(metric) for metric in ("m", "n")] == ["answer", "whole"]
    assert whole.alignments["m"].ravel() == pytest.approx([0.0, 0.1]) and not whole.of_whole
    found = points(parted_alignment(), both, experiments).set_index(["part", "metric", "train_set"])
    assert found.loc[("answer", "m", "a"), ["alignment_part", "alignment"]].tolist() == ["answer", 0.7]
    assert found.loc[("answer", "n", "a"), "alignment_part"] == "whole"
    assert found.loc[("whole", "m", "a"), ["alignment_part", "alignment"]].tolist() == ["whole", 0.0]
    assert len(found) == 8


def test_a_table_without_parts_is_of_whole_rows() -> None:
    table = losses(("a", 1, 0, 2.0), ("b", 1, 0, 5.0)).assign(part="answer")
    experiments = experiments_from_json(json.dumps([ENTRY]))
    (panel,) = panels(alignment("a.train", "b.train"), table, experiments)
    assert panel.alignments["m"].ravel() == pytest.approx([0.0, 0.1])
    assert panel.alignment_part("m") == "whole" and not panel.of_whole
    assert set(points(alignment("a.train", "b.train"), table, experiments)["alignment_part"]) == {"whole"}


def test_mixtures_are_of_whole_rows() -> None:
    mixed = pd.DataFrame({"metric": ["m"], "train_set": ["b"], "eval_set": ["e"], "alignment": [0.4]})
    found = with_mixtures(parted_alignment(), [mixed])
    assert found.loc[found["alignment"] == 0.4, ["part", "source"]].to_numpy().tolist() == [
        ["whole", "b.train"]
    ]

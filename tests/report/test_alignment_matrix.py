"""The figure of all alignments, with few sets and with many."""

import numpy as np
import pandas as pd

from workflow_scripts.metrics.pairs import MOST_SETS, all_pairs, needed_pairs
from workflow_scripts.report.draw import draw_figures
from workflow_scripts.report.figures.alignment_matrix import alignment_matrix


def table(training: int, evaluation: int) -> pd.DataFrame:
    """As compare_sets and join_blocks write it, with values by chance."""
    sets = [
        *(f"t{n}.train" for n in range(training)),
        *(f"e{n}.eval" for n in range(evaluation)),
        "random.train",
    ]
    pairs = all_pairs if len(sets) <= MOST_SETS else lambda sets, floor: needed_pairs(sets, sets, floor)
    frame = pd.DataFrame(pairs(sets, "random.train"), index=[0]).T.reset_index()
    frame = frame.set_axis(["source", "target", "owner"], axis=1).drop(columns="owner")
    values = np.random.default_rng(0).random(len(frame))
    columns = dict.fromkeys(("ci_low", "ci_high", "calibrated"), values)
    return frame.assign(metric="unigram_js", part="whole", alignment=values, **columns)


def test_few_sets_are_shown_with_all_others() -> None:
    (figure,) = alignment_matrix({"alignment": table(4, 2)})
    assert len(figure.data) == 7 * 7
    assert list(figure.data["source"].unique()) == list(figure.data["target"].unique())
    assert "columns evaluation sets" not in figure.summary


def test_with_many_sets_rows_are_training_sets_and_columns_evaluation_sets() -> None:
    alignment = table(60, 10)
    (figure,) = alignment_matrix({"alignment": alignment})
    assert figure.summary.endswith("Rows are training sets, columns evaluation sets.")
    assert set(figure.data["target"]) == {f"e{n}.eval" for n in range(10)}
    assert figure.data["source"].str.endswith(".train").all() and len(figure.data) == 61 * 10
    (panel,) = figure.panels  # the floor is a training set, too
    encoding = panel.specification["encoding"]
    assert len(encoding["x"]["sort"]) == 10 and len(encoding["y"]["sort"]) == 61
    known = alignment.set_index(["source", "target"])["alignment"]
    shown = figure.data.set_index(["source", "target"])["alignment"]
    assert (shown == known.loc[shown.index]).all()


def test_more_sets_than_it_can_show_are_named_on_the_page_instead() -> None:
    tables = {"alignment": table(400, 50)}
    assert alignment_matrix(tables) == []
    (line,) = (line for line in draw_figures(tables)[1] if "alignment_matrix" in line)
    assert "cannot show more than 64 training or evaluation sets" in line

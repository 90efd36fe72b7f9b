"""Losses of answers on the page: which alignment stands beside them."""

import pandas as pd

from workflow_scripts.report.figures.alignment_and_loss import alignment_and_loss
from workflow_scripts.report.figures.alignment_matrix import alignment_matrix
from workflow_scripts.report.figures.metric_league import metric_league
from workflow_scripts.report.figures.mixture_curves import mixture_curves

Frames = dict[str, pd.DataFrame]
EXPERIMENT = "pretraining"


def with_answers(tables: Frames) -> Frames:
    """Losses of answers beside the whole ones of an experiment; one metric compares whole pairs only."""
    correlation, points = tables["correlation"], tables["points"]
    answers = []
    for frame in (correlation, points):
        own = frame[frame["experiment"] == EXPERIMENT].assign(part="answer")
        answers.append(
            own.assign(alignment_part=own["metric"].where(own["metric"] == "gzip_pairs", "answer"))
        )
        answers[-1]["alignment_part"] = answers[-1]["alignment_part"].replace("gzip_pairs", "whole")
    beside = answers[0][
        (answers[0]["statistic"] == "pearson_r") & (answers[0]["alignment_part"] == "answer")
    ].assign(statistic="pearson_r_of_whole", alignment_part="whole", value=-0.125, ci_low=-0.5, ci_high=0.25)
    return tables | {
        "correlation": pd.concat([correlation, answers[0], beside], ignore_index=True),
        "points": pd.concat([points, answers[1]], ignore_index=True),
    }


def test_the_league_of_answers_shows_what_whole_pairs_say_beside_it(tables: Frames) -> None:
    figures = {figure.name: figure for figure in metric_league(with_answers(tables))}
    league = figures[f"metric_league_{EXPERIMENT}_answer"]
    assert league.summary.endswith("Alignment is of the answers only; of whole pairs by gzip pairs.")
    (panel,) = (name for name in league.data["panel"].unique() if "alignment of whole pairs" in name)
    beside = league.data[league.data["panel"] == panel]
    assert set(beside["value"]) == {-0.125} and set(beside["alignment_part"]) == {"whole"}
    assert "gzip_pairs" not in set(beside["metric"])
    assert len(beside) == league.data["metric"].nunique() - 1
    assert "Alignment is of" not in figures[f"metric_league_{EXPERIMENT}"].summary


def test_a_run_without_alignments_of_answers_says_nothing_of_them(tables: Frames) -> None:
    for figure in [*metric_league(tables), *alignment_and_loss(tables)]:
        assert "Alignment is of" not in figure.summary
    assert not any("whole pairs" in str(name) for f in metric_league(tables) for name in f.data["panel"])


def test_points_of_answers_say_which_alignment_they_have(tables: Frames) -> None:
    figures = {figure.name: figure for figure in alignment_and_loss(with_answers(tables))}
    said = figures[f"alignment_and_loss_{EXPERIMENT}_answer"].summary
    assert said.endswith("Alignment is of the answers only; of whole pairs by gzip pairs.")


def test_likeness_is_of_whole_rows_and_curves_of_the_part_of_the_loss(tables: Frames) -> None:
    whole = tables["alignment"].assign(part="whole")
    answers = whole[whole["metric"] == "unigram_js"].assign(part="answer", alignment=0.5, calibrated=0.75)
    both = tables | {"alignment": pd.concat([whole, answers], ignore_index=True)}
    (matrix,) = alignment_matrix(both)
    assert matrix.csv() == alignment_matrix(tables)[0].csv()
    losses = tables["loss_summary"]
    both["loss_summary"] = pd.concat([losses, losses.assign(part="answer")], ignore_index=True)
    figures = {figure.name: figure.data for figure in mixture_curves(both)}
    (of_answers,) = (data for name, data in figures.items() if "_answer_" in name)
    (of_whole,) = (data for name, data in figures.items() if "_whole_" in name)
    of_answers, of_whole = (data[data["metric"] == "unigram_js"]["value"] for data in (of_answers, of_whole))
    assert set(of_answers) == {0.75} and 0.75 not in set(of_whole)

"""Figures of predictions, and short runs beside measures: their numbers are those of the tables."""

import pandas as pd
import pytest

from workflow_scripts.report.answer import answer
from workflow_scripts.report.figures.cost_and_skill import cost_and_skill
from workflow_scripts.report.figures.four_views import four_views
from workflow_scripts.report.figures.predictions import predictions
from workflow_scripts.statistics.choice import BLIND
from workflow_scripts.statistics.equal_cost import TRAINING
from workflow_scripts.statistics.short_run import SHORT_RUN, SHORT_RUNS

Frames = dict[str, pd.DataFrame]
GRID = "grid"


def test_every_experiment_has_its_measures_alone_and_beside_the_cheap_one(tables: Frames) -> None:
    figures = {figure.name: figure for figure in predictions(tables)}
    figure = figures["predictions_finetuning"]
    assert [panel.title for panel in figure.panels] == ["Alone", "Beside unigram js"]
    table = tables["predictions"]
    own = table[
        (table["experiment"] == "finetuning")
        & (table["scope"] == "within_eval")
        & (table["candidates"] == "all")
    ]
    assert len(figure.data) == len(own)
    assert figure.data["error"].sum() == pytest.approx(own["error"].sum())
    alone = own[(own["beside"] == "") & (own["left_out"] == "train_set")]
    best = alone.loc[alone["error"].idxmin()]
    assert f"{best['metric'].replace('_', ' ')} predicts its losses best" in figure.summary
    assert f"a mean error of {best['error']:.3f} nats" in figure.summary


def test_a_turned_weight_is_named(tables: Frames) -> None:
    table = tables["predictions"].copy()
    table["effect"] = -table["effect"].abs()
    gzip = (table["metric"] == "gzip_pairs") & (table["beside"] == "unigram_js")
    assert gzip.any()
    assert "wrong sign" not in predictions({"predictions": table})[0].summary
    table.loc[gzip, "effect"] = 0.1
    summary = predictions({"predictions": table})[0].summary
    assert "Together with unigram js, the weight of gzip pairs has the wrong sign" in summary


def test_short_runs_and_training_all_stand_beside_the_measures(tables: Frames) -> None:
    (figure,) = cost_and_skill(tables)
    grid = figure.data[figure.data["panel"] == GRID].set_index("metric")
    assert set(SHORT_RUNS) <= set(grid.index)
    assert grid.loc[SHORT_RUN, "run_tokens"] == 65536
    # Two seeds of a quarter of five runs of 20 s.
    assert grid.loc[SHORT_RUN, "cost_seconds"] == pytest.approx(50)
    assert grid.loc[TRAINING, "cost_seconds"] == pytest.approx(100)
    assert grid.loc[TRAINING, "regret"] == 0
    assert not grid.loc[BLIND, "on_frontier"]
    worth = grid[grid["on_frontier"]].sort_values("cost_seconds")
    assert worth["regret_fraction"].is_monotonic_decreasing
    assert worth["regret_fraction"].is_unique
    assert "runs of 66k tokens on every candidate lose" in figure.summary


def test_a_short_run_is_no_measure(tables: Frames) -> None:
    choices = tables["choice"].copy()
    runs = choices["metric"].isin(SHORT_RUNS)
    choices.loc[runs, "regret"] = -1.0
    changed = {**tables, "choice": choices}
    for sentence in (*answer(changed), *(figure.summary for figure in four_views(changed))):
        assert "by short run" not in sentence
        assert "Least regret in every view (Pearson): short run" not in sentence
    (figure,) = cost_and_skill(changed)
    assert "short run has the least regret" not in figure.summary


def test_the_answer_says_what_short_runs_lose(tables: Frames) -> None:
    choices = tables["choice"]
    moved = choices.assign(
        experiment=choices["experiment"].replace({"pretraining": "other", GRID: "pretraining"})
    )
    sentence = answer({**tables, "choice": moved})[2]
    assert "; runs of 66k tokens on every candidate lose" in sentence
    assert "runs of" not in answer(tables)[2]

"""Figures and sentences of recorded experiments: their numbers are those of the tables."""

import json

import pandas as pd
import pytest
import vl_convert

from tests.report import recorded_run
from workflow_scripts.report.answer import answer, headline_experiment
from workflow_scripts.report.draw import draw_figures
from workflow_scripts.report.figure import Figure
from workflow_scripts.report.figures import WORTH
from workflow_scripts.report.figures.effective_tokens_and_loss import MOST_POINTS, evenly_chosen
from workflow_scripts.report.figures.token_worth import price
from workflow_scripts.report.files import VEGA_LITE, paper_specification
from workflow_scripts.report.headline import MOST_TRAIN_SETS
from workflow_scripts.report.tables import read_tables
from workflow_scripts.report.token_tables import Measure, best_measure

Frames = dict[str, pd.DataFrame]
BEST = Measure("ngram_cross_entropy", "root")


@pytest.fixture(scope="module")
def figures(recorded: Frames) -> dict[str, Figure]:
    sections, _ = draw_figures(recorded)
    assert sections[0].question == WORTH
    return {figure.name: figure for section in sections for figure in section.figures}


@pytest.fixture(scope="module")
def one_experiment(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """A run without proxies: tau is chosen on the losses that are ranked."""
    return read_tables(recorded_run.analyse(tmp_path_factory.mktemp("one"), ("small",)))


def ranking_row(tables: Frames, **wanted: object) -> pd.Series:
    rows = tables["effective_tokens"]
    for column, value in {"experiment": "large", "scope": "all", "eval_set": "mean", **wanted}.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def with_difference(tables: Frames, low: float, high: float) -> Frames:
    """The tables with another interval of text alone against the own share in the large experiment."""
    differences = tables["effective_token_differences"].copy()
    rows = (
        (differences["experiment"] == "large")
        & (differences["predictor"] == "effective_tokens")
        & (differences["kernel"] == BEST.kernel)
        & (differences["other_metric"] == "own_share")
    )
    assert rows.any()
    differences.loc[rows, ["ci_low", "ci_high"]] = low, high
    return {**tables, "effective_token_differences": differences}


def without_own_share(tables: Frames) -> Frames:
    """As where targets are of no part."""
    ranking, differences = tables["effective_tokens"], tables["effective_token_differences"]
    return {
        **tables,
        "effective_tokens": ranking[ranking["metric"] != "own_share"],
        "effective_token_differences": differences[differences["other_metric"] != "own_share"],
    }


def test_the_measure_shown_is_the_one_that_ranks_the_proxies_best(recorded: Frames) -> None:
    assert best_measure(recorded) == BEST
    ranking = recorded["effective_tokens"].copy()
    ranking.loc[(ranking["metric"] == "unigram_js") & (ranking["experiment"] == "small"), "spearman"] = 1.0
    assert best_measure({**recorded, "effective_tokens": ranking}).metric == "unigram_js"


def test_the_price_list_has_the_worths_of_the_text_and_of_the_law(
    figures: dict[str, Figure], recorded: Frames
) -> None:
    data = figures["token_worth"].data
    worth = recorded["token_worth"]
    worth = worth[(worth["metric"] == BEST.metric) & (worth["kernel"] == BEST.kernel)]
    assert len(data) == len(worth) == 2 * len(recorded_run.PARTS) * len(recorded_run.TARGETS)
    both = data.merge(worth, on=["source", "corpus", "eval_set"], validate="1:1", suffixes=("", "_table"))
    for column in ("worth", "low", "high"):
        assert list(both[column]) == list(both[f"{column}_table"])
    assert (data.loc[data["corpus"] == data["eval_set"], "label"] == "1").all()
    assert len(figures["token_worth"].panels) == 2
    others = worth[worth["corpus"] != worth["eval_set"]]
    dearest = others.loc[others[others["source"] == "text"]["worth"].idxmax()]
    assert f"a token of {dearest['corpus']} for {dearest['eval_set']}" in figures["token_worth"].summary


@pytest.mark.parametrize(
    ("worth", "label"),
    [
        (1.0, "1"),
        (1.37, "1.4"),
        (12.3, "12"),
        (0.996, "1"),
        (0.314, ".31"),
        (0.0996, ".10"),
        (0.031, ".031"),
        (0.00234, ".002"),
        (0.00031, ".0003"),
        (0.00001, "·"),
        (1e-16, "·"),
    ],
)
def test_prices_are_short(worth: float, label: str) -> None:
    assert price(worth) == label


def test_marks_are_filled_where_the_paired_difference_to_the_own_share_is_clear(
    figures: dict[str, Figure], recorded: Frames
) -> None:
    data = figures["mixture_ranking"].data
    differences = recorded["effective_token_differences"]
    against = differences[
        (differences["other_metric"] == "own_share")
        & (differences["proxies"] == 0)
        & (differences["scope"] == "all")
    ]
    assert data["ahead"].notna().sum() == len(against)
    assert data["clearly_ahead"].sum() == (against["ci_low"] > 0).sum() > 0
    assert not data["clearly_ahead"].all()
    row = data[
        (data["experiment"] == "large")
        & (data["metric"] == BEST.metric)
        & (data["way"] == "effective tokens, root")
        & (data["target"] == "each target, mean")
    ]
    expected = ranking_row(recorded, metric=BEST.metric, predictor="effective_tokens", kernel="root")
    assert row["spearman"].item() == expected["spearman"]


def test_the_law_starts_from_text_alone(figures: dict[str, Figure], recorded: Frames) -> None:
    data = figures["proxies_and_skill"].data
    law = data[
        (data["experiment"] == "large")
        & (data["learner"] == "law, prior from ngram cross entropy")
        & (data["target"] == "each target, mean")
    ]
    assert list(law["proxies"]) == [0, 8, 16]
    text = ranking_row(recorded, metric=BEST.metric, predictor="effective_tokens", kernel="root")
    learned = ranking_row(recorded, metric=BEST.metric, predictor="law", proxies=16)
    assert [law["spearman"].iloc[0], law["spearman"].iloc[2]] == [text["spearman"], learned["spearman"]]
    assert set(data.loc[data["proxies"] == 8, "learner"]) == {
        "law, prior from ngram cross entropy",
        "law, flat prior",
        "gradient boosting",
        "linear regression",
    }


def test_points_are_a_few_of_the_runs_from_end_to_end(figures: dict[str, Figure], recorded: Frames) -> None:
    points = recorded["effective_token_points"]
    one = points[
        (points["experiment"] == "small")
        & (points["metric"] == BEST.metric)
        & (points["eval_set"] == "prose")
    ]
    chosen = evenly_chosen(one)
    assert len(chosen) == MOST_POINTS < len(one)
    assert not chosen["train_set"].duplicated().any()
    assert {chosen["effective_tokens"].min(), chosen["effective_tokens"].max()} == {
        one["effective_tokens"].min(),
        one["effective_tokens"].max(),
    }
    figure = figures["effective_tokens_and_loss"]
    shown = figure.data[figure.data["experiment"] == "large"]
    assert len(shown) == recorded_run.SIZES["large"] * len(recorded_run.TARGETS)
    assert f"at most {MOST_POINTS} runs" in figure.summary
    assert len(figure.panels) == len(recorded_run.TARGETS)


def test_predicted_and_real_losses_are_less_their_means(figures: dict[str, Figure], recorded: Frames) -> None:
    figure = figures["predicted_and_real_loss"]
    assert [panel.title for panel in figure.panels] == [
        "Large"
    ]  # in `small` the law was fitted to the same runs
    data = figure.data
    assert list(data["fitted_to"].unique()) == ["8 proxies", "16 proxies"]
    assert len(data) == 2 * recorded_run.SIZES["large"]
    table = recorded["predicted_losses"]
    chosen = table[(table["train_set"] == "large_03") & (table["proxies"] == 16)]
    row = data[(data["train_set"] == "large_03") & (data["fitted_to"] == "16 proxies")].iloc[0]
    assert row["predicted"] == pytest.approx(chosen["predicted"].mean())
    assert row["loss"] == pytest.approx(chosen["loss"].mean())
    means = data.groupby("fitted_to")[["predicted_above", "loss_above"]].mean().to_numpy()
    assert means == pytest.approx(0, abs=1e-12)
    spread = data["predicted"] - data["predicted_above"]
    assert spread.groupby(data["fitted_to"]).std().to_numpy() == pytest.approx(0, abs=1e-12)
    expected = ranking_row(recorded, metric=BEST.metric, predictor="law", proxies=16, eval_set="all")
    assert f"{expected['spearman']:.2f} (16 proxies)" in figure.panels[0].subtitle
    assert "2." in figure.panels[0].subtitle and "nats below the predicted one" in figure.panels[0].subtitle


def test_of_one_experiment_each_run_is_predicted_from_the_other_folds(one_experiment: Frames) -> None:
    sections, _ = draw_figures(one_experiment)
    figure = next(one for one in sections[0].figures if one.name == "predicted_and_real_loss")
    assert [panel.title for panel in figure.panels] == ["Small"]
    assert set(figure.data["fitted_to"]) == {"63 proxies"}
    assert len(figure.data) == recorded_run.SIZES["small"]


def test_hundreds_of_training_sets_get_no_legend_and_no_axis(figures: dict[str, Figure]) -> None:
    assert recorded_run.SIZES["large"] <= MOST_TRAIN_SETS < recorded_run.SIZES["small"]
    assert "alignment_and_loss_large" in figures
    assert "alignment_and_loss_small" not in figures
    assert "metric_league_small" in figures


def test_of_hundreds_of_training_sets_the_evaluation_sets_are_left_out_one_at_a_time(
    figures: dict[str, Figure],
) -> None:
    sides = {
        name: {entry.value for entry in figures[f"leave_one_out_{name}"].legends[0].entries}
        for name in recorded_run.SIZES
    }
    assert sides["small"] == {"evaluation set"}
    assert sides["large"] == {"evaluation set", "family of training sets"}


def test_correlations_near_one_are_spread_and_labelled_as_they_are(figures: dict[str, Figure]) -> None:
    drawing = vl_convert.vegalite_to_svg(
        paper_specification(figures["proxies_and_skill"]), vl_version=VEGA_LITE
    )
    assert "NaN" not in drawing
    for label in ("0.9", "0.99"):
        assert f">{label}<" in drawing


def test_every_figure_without_an_own_share(recorded: Frames) -> None:
    sections, _ = draw_figures(without_own_share(recorded))
    worth = sections[0]
    assert worth.question == WORTH and len(worth.figures) == 5
    for figure in worth.figures:
        specification = json.dumps(paper_specification(figure))
        assert "nan" not in figure.summary.lower() and "NaN" not in specification
    assert "own share" not in answer(without_own_share(recorded))[0]


def test_a_run_that_has_no_recorded_experiment_misses_nothing(tables: Frames, recorded: Frames) -> None:
    assert draw_figures(tables)[1] == []
    assert all(section.question != WORTH for section in draw_figures(tables)[0])
    _, left_out = draw_figures({**recorded, "token_worth": recorded["token_worth"].head(0)})
    assert "Figure token_worth: needs the table token_worth, which this run lacks." in left_out


def test_the_answer_begins_with_what_text_alone_does(recorded: Frames) -> None:
    sentences = answer(recorded)
    text = ranking_row(recorded, metric=BEST.metric, predictor="effective_tokens", kernel="root")
    own = ranking_row(recorded, metric="own_share")
    assert sentences[0].startswith(
        f"Text alone ranks the 24 mixtures of large by ngram cross entropy at {text['spearman']:.3f} "
        f"({text['ci_low']:.3f} to {text['ci_high']:.3f}), against {own['spearman']:.3f} for the target's own share: "
    )
    law = ranking_row(recorded, metric=BEST.metric, predictor="law", proxies=8)
    flat = ranking_row(recorded, metric="flat_prior", proxies=8)
    assert f"With the losses of 8 proxy runs the law ranks them at {law['spearman']:.3f}" in sentences[1]
    assert f"{flat['spearman']:.3f} without the text" in sentences[1]
    # Nothing was trained here, so that nothing is said of a grid that nobody asked for.
    assert not any("is unknown" in sentence for sentence in sentences)
    assert sentences[-1].startswith("In large, choosing the most aligned training set")
    assert "cheapest" not in sentences[-1]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.2, "a clear difference"),
        (-0.1, 0.1, "no clear difference"),
        (-0.2, -0.1, "clearly behind it"),
    ],
)
def test_a_difference_is_clear_when_its_interval_leaves_zero_out(
    recorded: Frames, low: float, high: float, words: str
) -> None:
    first = answer(with_difference(recorded, low, high))[0]
    assert f"for the target's own share: {words};" in first
    assert first.endswith(f"for the target's own share: {words}.")


def test_where_tau_was_chosen_on_the_losses_that_are_ranked_the_answer_says_so(
    one_experiment: Frames,
) -> None:
    first, second, *_ = answer(one_experiment)
    assert "ranks the 70 mixtures of small" in first and "tau, was chosen on these losses" in first
    # Learned from nearly all runs, in folds: no few proxies to tell of.
    assert "proxy runs" not in second
    sections, _ = draw_figures(one_experiment)
    assert [figure.name for figure in sections[0].figures] == [
        "token_worth",
        "mixture_ranking",
        "proxies_and_skill",
        "predicted_and_real_loss",
        "effective_tokens_and_loss",
    ]


def test_beside_runs_of_our_own_these_stay_the_headline(tables: Frames, recorded: Frames) -> None:
    points = pd.concat([recorded["points"], tables["points"]], ignore_index=True)
    assert headline_experiment(points) == "pretraining"
    without = points[points["kind"] != "pretraining"]
    assert headline_experiment(without) == "finetuning"
    assert headline_experiment(recorded["points"]) == "large"
    both = {**tables, **{name: recorded[name] for name in recorded_run.OUTSIDE.values()}}
    assert answer(both)[2:] == answer(tables)


def test_drawings_on_paper_are_whole(figures: dict[str, Figure]) -> None:
    for name in ("token_worth", "mixture_ranking", "effective_tokens_and_loss"):
        drawing = vl_convert.vegalite_to_svg(paper_specification(figures[name]), vl_version=VEGA_LITE)
        assert "NaN" not in drawing and "undefined" not in drawing and "var(" not in drawing


@pytest.mark.parametrize(
    ("name", "channel"), [("mixture_ranking", "yOffset"), ("proxies_and_skill", "xOffset")]
)
def test_files_have_a_legend_and_marks_beside_their_own_tick(
    figures: dict[str, Figure], name: str, channel: str
) -> None:
    specification = paper_specification(figures[name])
    # Shared by panels whose bands differ in width, offsets would move marks to other ticks.
    assert specification["resolve"]["scale"][channel] == "independent"
    drawing = vl_convert.vegalite_to_svg(specification, vl_version=VEGA_LITE)
    for entry in figures[name].legends[0].entries:
        assert f">{entry.value}<" in drawing

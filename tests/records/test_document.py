"""The numbers of a document come from the tables, and a marker that asks for what is not there says so."""

import pandas as pd
import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.records.document import BLOCK, TABLES, figures_named, of_number, written
from workflow_scripts.storage.tables import read_frame, write_table

PANEL = {"experiment": "one", "part": "whole", "tokens": 100}


@pytest.fixture
def runs(tmp_path):
    correlation = [
        {**PANEL, "metric": metric, "scope": scope, "statistic": statistic}
        | {"value": value, "ci_low": low, "ci_high": -0.1}
        for metric, value, low in (("weak", -0.2, -0.5), ("strong", -0.9, -0.99))
        for scope in ("pooled", "within_eval", "double_centred")
        for statistic in ("pearson_r", "partial_r_given_unigram_js")
    ]
    choice = {**PANEL, "candidates": "all", "eval_set": None, "top1": 0.5, "regret": 0.1}
    choice |= {"regret_low": float("nan"), "regret_high": float("nan")}
    cost = {**PANEL, "candidates": "all", "eval_set": None, "cost_seconds": 3.0}
    difference = {**PANEL, "scope": "double_centred", "metric": "weak", "other": "strong"}
    difference |= {"r_metric": -0.2, "r_other": -0.9, "difference": 0.7, "ci_low": 0.5, "ci_high": 0.8}
    losses = [
        {**PANEL, "train_set": name, "eval_set": "e", "seed": seed, "loss": loss}
        for name, seed, loss in (("a", 0, 4.0), ("a", 1, 5.0), ("b", 0, 3.0))
    ]
    for name, rows in {
        "analysis/correlation": correlation,
        "analysis/choice": [{**choice, "metric": metric} for metric in ("weak", "strong")],
        "analysis/choice_cost": [{**cost, "metric": metric} for metric in ("weak", "strong")],
        "analysis/metric_differences": [difference],
        "losses/loss_summary": losses,
    }.items():
        write_table(pd.DataFrame(rows), tmp_path / "made" / f"{name}.parquet")
    return tmp_path


def block(words: str, inside: str = "") -> str:
    return f"<!-- table made {words} -->\n{inside}<!-- end of table -->\n"


def test_a_league_has_the_best_predictor_first(runs):
    text = written("Before.\n" + block("league experiment=one", "| old |\n") + "After.\n", runs)
    lines = text.splitlines()
    assert lines[0] == "Before."
    assert lines[-1] == "After."
    assert "old" not in text
    assert lines[4].startswith("| strong | −0.90 | −0.90 (−0.99 to −0.10) |")
    assert lines[5].startswith("| weak |")
    assert lines[5].endswith("| 0.50 | 0.100 | 3.0 |")


def test_writing_twice_changes_nothing(runs):
    once = written(block("losses experiment=one"), runs)
    assert "| a | 4.50 |" in once
    assert "| b | 3.00 |" in once
    assert written(once, runs) == once


def ngram_row(train_set: str, loss: float, **changes: object) -> dict[str, object]:
    row = {**PANEL, "train_set": train_set, "eval_set": "e", "loss": loss, "order": 5, "from_scratch": True}
    return row | changes


def test_a_loss_has_that_of_ngrams_behind_it_and_a_sentence_below(runs):
    losses = read_frame(runs / "made" / "losses" / "loss_summary.parquet")
    own = losses[losses["train_set"] == "b"].assign(eval_set="b", loss=3.5)
    write_table(
        pd.concat([losses, own], ignore_index=True), runs / "made" / "losses" / "loss_summary.parquet"
    )
    rows = [ngram_row("a", 4.25), ngram_row("b", 3.5), ngram_row("b", 4.1, eval_set="b")]
    other_panels = [ngram_row("a", 9.0, **changed) for changed in ({"tokens": 50}, {"part": "answer"})]
    write_table(pd.DataFrame([*rows, *other_panels]), runs / "made" / "losses" / "ngram_summary.parquet")
    once = written(block("losses experiment=one") + "After.\n", runs)
    lines = once.splitlines()
    assert "| trained on | e | b |" in lines
    assert "| a | 4.50 (4.25) | – (–) |" in lines
    assert "| b | 3.00 (3.50) | 3.50 (4.10) |" in lines
    note = once[once.index("In parentheses") : once.index("<!-- end")].replace("\n", " ")
    assert "a 5-gram model" in note
    assert "the models of 1 of 1 training set are better" in note and "0.60 nats better (b)" in note
    assert "Over all pairs of sets, the models are better in 2 of 3." in note
    assert "means over seeds" in note and "trained weights" not in note
    assert max(map(len, lines)) <= 120
    assert written(once, runs) == once


def test_ngrams_without_the_text_of_the_base_are_marked(runs):
    rows = [ngram_row("a", 4.25, from_scratch=False), ngram_row("b", 3.5, from_scratch=False)]
    write_table(pd.DataFrame(rows), runs / "made" / "losses" / "ngram_summary.parquet")
    text = written(block("losses experiment=one"), runs).replace("\n", " ")
    assert "The models started from trained weights" in text
    assert "No training set's own held-out part is among the evaluation sets" in text


def test_a_difference_is_stated_from_the_side_that_is_asked_for(runs):
    assert "| strong | weak | −0.90 | −0.20 | −0.70 (−0.80 to −0.50) |" in written(
        block("differences experiment=one metric=strong"), runs
    )
    assert "| weak | strong | −0.20 | −0.90 | 0.70 (0.50 to 0.80) |" in written(
        block("differences experiment=one metric=weak"), runs
    )


def test_what_is_not_there_is_named(runs):
    with pytest.raises(UserError, match="table standings: unknown name"):
        written(block("standings experiment=one"), runs)
    with pytest.raises(UserError, match="no row is recorded for experiment=other"):
        written(block("league experiment=other"), runs)
    with pytest.raises(UserError, match=r"exchange_rate\.parquet, which is missing"):
        written(block("exchange experiment=one"), runs)


def test_exchange_rates_stand_by_level_and_bounds_are_marked(runs):
    rate = {**PANEL, "n_runs": 3, "eval_set": "target", "reference": "pure", "fraction": 0.5, "trend": 1.5}
    half = {**rate, "train_set": "half", "low_reached": "within", "high_reached": "never"}
    none = {**rate, "train_set": "none", "fraction": 0.0, "trend": float("nan")}
    rows = [
        {**half, "level_tokens": 1000, "label": "2x", "k_low": 1.5, "k_high": 3.0, "low_reached": "before"},
        {**half, "level_tokens": 2000, "label": "3x", "k_low": 1.5, "k_high": 4.0},
        *(
            {
                **none,
                "level_tokens": tokens,
                "label": f"> {k:.0f}x",
                "k_low": k,
                "k_high": k,
                "low_reached": "never",
                "high_reached": "never",
            }
            for tokens, k in ((1000, 8.0), (2000, 4.0))
        ),
    ]
    rows[0]["high_reached"] = "within"
    write_table(pd.DataFrame(rows), runs / "made" / "analysis" / "exchange_rate.parquet")
    text = written(block("exchange experiment=one"), runs)
    assert "| at 1,000 tokens | at 2,000 tokens |" in text
    assert "| half | 50% | 2x (< 1.50 to 3.00) | 3x (1.50 to > 4.00) | x 1.50 | 3 |" in text
    assert "| none | 0% | > 8x | > 4x | – | 3 |" in text


def test_numbers_have_a_real_minus_sign_and_gaps_a_dash():
    assert of_number(-0.456) == "−0.46"
    assert of_number(float("nan")) == "–"


def test_figures_are_named_with_the_path_that_a_document_shows_them_from():
    text = "![a](results/real/league.svg) ![b](real/league.svg) [c](real.md) ![d](../report.png)"
    assert figures_named(text) == [
        ("real/league.svg", "real", "league.svg"),
        ("results/real/league.svg", "real", "league.svg"),
    ]


def test_the_results_show_recorded_runs_alone(root):
    folder = root / "docs" / "results"
    recorded = {path.parent.name for path in folder.glob("*/config.json")}
    documents = sorted(folder.glob("*.md"))
    assert len(documents) > 1
    for document in documents:
        text = document.read_text(encoding="utf-8")
        figures = figures_named(text)
        assert {match["run"] for match in BLOCK.finditer(text)} | {run for _, run, _ in figures} <= recorded
        assert {match["name"] for match in BLOCK.finditer(text)} <= set(TABLES)
        assert all((document.parent / path).is_file() for path, _, _ in figures)


def test_probes_have_the_first_ones_value_and_the_range_of_all(tmp_path):
    rows = [
        {
            **PANEL,
            "metric": "task2vec",
            "probe": probe,
            "scope": scope,
            "statistic": statistic,
            "value": value,
        }
        for scope, statistic, values in (
            ("within_eval", "pearson_r", (-0.5, -0.7, -0.4)),
            ("double_centred", "pearson_r", (-0.6, -0.6, -0.65)),
            ("all", "regret", (0.1, 0.05, 0.2)),
        )
        for probe, value in zip(("seed-0", "seed-1", "seed-2"), values, strict=True)
    ]
    write_table(pd.DataFrame(rows), tmp_path / "made" / "analysis/probe_spread.parquet")
    text = written(block("probes experiment=one"), tmp_path)
    assert (
        "| task2vec | 3 | −0.50 | −0.70 to −0.40 | −0.60 | −0.65 to −0.60 | 0.100 | 0.050 to 0.200 |" in text
    )


@pytest.fixture
def with_curve(runs):
    """The same run with three measures at other numbers of rows."""
    places = (("within_eval", "pearson_r"), ("double_centred", "pearson_r"), ("all", "regret"))
    sizes = (("task2vec", 64, -0.1), ("task2vec_roots", 1024, -0.8), ("unigram_js", 64, -0.95))
    rows = [
        {**PANEL, "metric": metric, "rows": size, "fewest_rows": 60, "scope": scope, "statistic": statistic}
        | {"value": value, "ci_low": -0.9, "ci_high": 0.5}
        for metric, size, value in sizes
        for scope, statistic in places
    ]
    cost = [{**PANEL, "metric": metric, "rows": size, "seconds": 7.0} for metric, size, _ in sizes]
    for name, table in {"rows_curve": rows, "rows_curve_cost": cost}.items():
        write_table(pd.DataFrame(table), runs / "made" / f"analysis/{name}.parquet")
    return runs


def test_every_number_of_rows_has_a_line(with_curve):
    lines = written(block("rows_curve experiment=one"), with_curve).splitlines()[3:-1]
    assert [line.split(" | ")[:3] for line in lines] == [
        ["| task2vec", "64", "60"],
        ["| task2vec_roots", "1,024", "60"],
        ["| unigram_js", "64", "60"],
    ]


def test_the_curve_of_some_measures(with_curve):
    text = written(block("rows_curve experiment=one metric=unigram_js,task2vec"), with_curve)
    assert [line.split(" | ")[0] for line in text.splitlines()[3:-1]] == ["| task2vec", "| unigram_js"]


def test_the_best_fisher_measure_enters_the_league_at_its_best_size(with_curve):
    plain = written(block("league experiment=one"), with_curve)
    assert "1,024" not in plain
    lines = written(block("league experiment=one more_rows=best"), with_curve).splitlines()
    assert [line.split(" | ")[0] for line in lines[3:6]] == [
        "| strong",
        "| task2vec_roots, 1,024 rows",
        "| weak",
    ]
    r = "−0.80 (−0.90 to 0.50)"
    assert lines[4].endswith(f"| – | {r} | {r} | – | – | −0.800 (−0.900 to 0.500) | 7.0 |")
    assert [*lines[1:4], *lines[5:]] == plain.splitlines()[1:]

"""Tables of choices, of equal cost and of predictions, from tables with known numbers."""

import pandas as pd
import pytest

from tests.records.test_document import PANEL, block
from workflow_scripts.records.document import written
from workflow_scripts.storage.tables import write_table

NAN = float("nan")


@pytest.fixture
def runs(tmp_path):
    choice, cost = [], []
    for metric, regret, seconds, tokens in (
        ("weak", 0.4, 2.0, NAN),
        ("strong", 0.1, 30.0, NAN),
        ("short_run", 0.02, 200.0, 25.0),
        ("random_choice", 0.9, 0.0, NAN),
    ):
        for candidates in ("all", "out_of_domain"):
            for eval_set in ("e", "f", None):
                key = {**PANEL, "candidates": candidates, "metric": metric, "eval_set": eval_set}
                scores = {"top1": 0.5, "kendall_tau": 0.6, "kendall_tau_low": 0.2, "kendall_tau_high": 0.8}
                scores |= {"regret": regret, "regret_low": 0.0, "regret_high": 1.0, "run_tokens": tokens}
                choice.append({**key, **scores})
                cost.append({**key, "cost_seconds": seconds, "training_seconds": 800.0})
    correlation = [
        {**PANEL, "metric": metric, "scope": scope, "statistic": "pearson_r", "value": value, "n_eval": 2}
        for metric, value in (("weak", -0.2), ("strong", -0.9))
        for scope in ("within_eval", "out_of_domain_within")
    ]
    predictions = [
        {**PANEL, "candidates": "all", "scope": "within_eval", "left_out": unit, "metric": metric}
        | {"beside": beside, "r2": 0.5, "r2_low": low, "r2_high": 0.9, "error": error, "error_low": 0.1}
        | {"error_high": 0.4, "baseline_error": 0.7, "effect": 0.3, "effect_low": NAN, "effect_high": NAN}
        | {"effect_beside": -0.5, "effect_beside_low": -0.6, "effect_beside_high": -0.4}
        for unit in ("train_set", "family", "eval_set")
        for metric, beside, error, low in (
            ("weak", "", 0.3, 0.1),
            ("strong", "", 0.2, -7.0),
            ("weak", "strong", 0.25, 0.2),
        )
    ]
    for name, rows in {
        "choice": choice,
        "choice_cost": cost,
        "correlation": correlation,
        "predictions": predictions,
    }.items():
        write_table(pd.DataFrame(rows), tmp_path / "made" / "analysis" / f"{name}.parquet")
    return tmp_path


def test_choices_have_the_baselines_among_the_measures(runs):
    lines = written(block("choices experiment=one"), runs).splitlines()
    assert lines[1].startswith("| chosen by | best set chosen | regret, nats | regret, out of domain, nats |")
    assert [line.split(" | ")[0] for line in lines[3:-1]] == [
        "| *short_run, 25 tokens*",
        "| strong",
        "| weak",
        "| *random_choice*",
    ]
    assert "0.100 (0.000 to 1.000)" in lines[4]
    assert lines[4].endswith("| 0.60 (0.20 to 0.80) | 0.60 (0.20 to 0.80) | 30.0 |")


def test_equal_cost_ends_with_training_every_candidate(runs):
    lines = written(block("equal_cost experiment=one"), runs).splitlines()
    cells = [line.split(" | ") for line in lines[3:-1]]
    assert [row[0] for row in cells] == ["| 1", "| 10", "| 60", "| 600", "| 800"]
    assert [row[1] for row in cells] == [
        "random_choice",
        "weak",
        "strong",
        "short_run",
        "training every candidate",
    ]
    assert cells[2][5:] == ["−0.90", "strong", "−0.90 |"]
    away = written(block("equal_cost experiment=one candidates=out_of_domain"), runs)
    assert "| strong | 30.0 |" in away


def test_predictions_stand_by_what_was_left_out(runs):
    lines = written(block("predictions experiment=one"), runs).splitlines()
    assert lines[3].startswith("| no measure | – | 0.700 | – | 0.700 | – | 0.700 | – |")
    assert lines[4].startswith("| strong | 0.50 (< −1 to 0.90) | 0.200 (0.100 to 0.400) |")
    assert lines[5].startswith("| weak | 0.50 (0.10 to 0.90) |")
    pair = written(block("predictions experiment=one beside=strong"), runs).splitlines()
    assert pair[3].startswith("| weak, strong |")
    assert pair[3].endswith("| 0.30 | −0.50 (−0.60 to −0.40) |")

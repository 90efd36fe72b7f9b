"""Tables of the document about recorded experiments come from the tables of the run."""

import pandas as pd
import pytest

from workflow_scripts.records.document import written
from workflow_scripts.storage.tables import write_table


@pytest.fixture
def runs(tmp_path):
    rows = [
        ("large", metric, predictor, kernel, proxies, kind, value)
        for kind in ("mean", "all")
        for metric, predictor, kernel, proxies, value in (
            ("own_share", "baseline", "", 0, 0.90),
            ("good", "effective_tokens", "root", 0, 0.95),
            ("good", "effective_tokens", "exponential", 0, 0.11),
            ("poor", "effective_tokens", "root", 0, 0.80),
            ("good", "law", "root", 16, 0.97),
            ("flat_prior", "law", "", 16, 0.85),
        )
    ]
    columns = ["experiment", "metric", "predictor", "kernel", "proxies", "eval_set", "spearman"]
    ranking = pd.DataFrame(rows, columns=columns)
    ranking = ranking.assign(
        scope="all", ci_low=ranking["spearman"] - 0.01, ci_high=ranking["spearman"] + 0.01
    )
    differences = pd.DataFrame(
        [
            ("large", "good", "effective_tokens", "root", "own_share", "baseline", "mean", 0.05, 0.04, 0.06),
            ("large", "good", "effective_tokens", "root", "poor", "effective_tokens", "mean", 0.15, 0.1, 0.2),
            ("large", "good", "effective_tokens", "root", "poor", "effective_tokens", "all", 0.16, 0.1, 0.2),
        ],
        columns=[
            *("experiment", "metric", "predictor", "kernel", "other_metric", "other_predictor", "eval_set"),
            *("difference", "ci_low", "ci_high"),
        ],
    ).assign(scope="all", proxies=0)
    write_table(ranking, tmp_path / "r" / "analysis" / "effective_tokens.parquet")
    write_table(differences, tmp_path / "r" / "analysis" / "effective_token_differences.parquet")
    return tmp_path


def block(name, options, runs):
    text = written(f"<!-- table r {name} {options} -->\n<!-- end of table -->", runs)
    return [line.split(" | ") for line in text.splitlines()[1:-1]]


def test_ranking_has_the_best_first_beside_the_baseline(runs):
    lines = block("ranking", "experiments=large", runs)
    assert [line[0] for line in lines[2:]] == ["| good", "| own_share", "| poor"]
    assert lines[2][1] == "0.950 (0.940 to 0.960)"
    assert lines[2][3].startswith("0.050 (0.040 to 0.060)")
    assert lines[4][3].startswith("–")  # no paired difference is recorded


def test_proxies_stand_in_columns(runs):
    lines = block("proxies", "experiment=large", runs)
    assert lines[0][1].startswith("16")
    assert [line[0] for line in lines[2:]] == ["| law, good", "| flat_prior"]


def test_a_measure_against_every_other_whichever_way_round_it_was_written(runs):
    assert block("rivals", "experiment=large metric=good", runs)[2][1] == "0.150 (0.100 to 0.200)"
    assert block("rivals", "experiment=large metric=poor", runs)[2][1] == "−0.150 (−0.200 to −0.100)"

"""Numbers of the findings come from the tables, and a lookup that is not one number says so."""

import re

import pandas as pd
import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.records.findings import filled
from workflow_scripts.storage.tables import write_table


@pytest.fixture
def runs(tmp_path):
    rows = [
        {"metric": metric, "tokens": tokens, "eval_set": eval_set, "value": value, "low": -0.9, "high": 0.05}
        for metric, tokens, eval_set, value in (
            ("words", 100, None, -0.812),
            ("words", 100, "e", -0.5),
            ("words", 10, None, -0.3),
            ("gap", 100, None, float("nan")),
            ("times", 100, None, 3.456),
        )
    ]
    write_table(pd.DataFrame(rows), tmp_path / "real" / "analysis" / "correlation.parquet")
    return tmp_path


LOOKUP = 'number("real", "analysis/correlation", "value", '


def test_a_number_is_that_of_the_one_row_that_is_left(runs):
    text = f'r = {{{{ {LOOKUP} metric="words", tokens=largest, eval_set=none) }}}}.\n'
    assert filled(text, runs) == "r = −.81.\n"
    assert filled(f'{{{{ {LOOKUP} metric="words", eval_set="e") }}}}', runs) == "−.50"
    assert filled(f'{{{{ {LOOKUP} metric="times", digits=1) }}}}', runs) == "3.5"
    square = f'{{{{ (value({LOOKUP[7:]} metric="words", eval_set="e") ** 2) | prose }}}}'
    assert filled(square, runs) == ".25"
    ends = (
        '{{ interval("real", "analysis/correlation", "value", ("low", "high"), metric="words", tokens=10) }}'
    )
    assert filled(ends, runs) == "−.30 (−.90 to .05)"


def test_a_correlation_on_one_evaluation_set_leaves_controls_out(runs):
    points = [
        {
            "metric": "words",
            "eval_set": "e",
            "tokens": 100,
            "alignment": a,
            "loss": loss,
            "is_control": control,
        }
        for a, loss, control in ((0.1, 5.0, False), (0.2, 4.0, False), (0.3, 3.0, False), (0.4, 9.0, True))
    ]
    points.append({**points[0], "tokens": 10, "loss": 0.0})
    write_table(pd.DataFrame(points), runs / "real" / "analysis" / "points.parquet")
    assert filled('{{ r_on("real", metric="words", eval_set="e", tokens=largest) | prose }}', runs) == "−1.00"
    with pytest.raises(UserError, match="name one metric and one evaluation set"):
        filled('{{ r_on("real", metric="other") }}', runs)


@pytest.mark.parametrize(
    ("lookup", "said"),
    [
        (f'{LOOKUP} metric="words")', "3 rows match"),
        (f'{LOOKUP} metric="other")', "0 rows match"),
        (f'{LOOKUP} metric="gap")', "is missing in the table"),
        (f"{LOOKUP} measure=1)", "no column measure; there are metric"),
        ('number("real", "analysis/choice", "value")', "choice.parquet, which is missing"),
        ("numbr(1)", "'numbr' is undefined"),
        ("number(", "template, line 2"),
    ],
)
def test_a_lookup_that_is_not_one_number_is_an_error(runs, lookup, said):
    with pytest.raises(UserError, match=said):
        filled(f"\n{{{{ {lookup} }}}}", runs)


def test_the_results_page_is_what_its_template_says(root):
    """All but the numbers, which take the recorded runs to look up (`make results`)."""
    template = (root / "docs" / "results" / "findings.md.j2").read_text(encoding="utf-8")
    body = template[template.index("\n# Results") + 1 :]
    assert "{%" not in body
    texts = re.split(r"\{\{.*?\}\}", body, flags=re.DOTALL)
    number = r"−?\d*\.?\d+( \(−?\d*\.?\d+ to −?\d*\.?\d+\))?"
    assert len(texts) > 30
    page = (root / "docs" / "RESULTS.md").read_text(encoding="utf-8")
    assert re.fullmatch(number.join(map(re.escape, texts)), page)

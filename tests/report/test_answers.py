import pandas as pd
import pytest

from workflow_scripts.report.answers import amount, ranking_page, share


@pytest.fixture
def ranking():
    row = {
        "effective_tokens": 1e6, "low": 1e5, "high": 1e7, "low_80": 3e5, "high_80": 3e6,
        "probability_best": 0.7, "as_good_as_best": True, "worth": 1.0, "worth_low": 0.5, "worth_high": 2.0,
        "tokens": 1e6, "overlap_words": 0.5, "overlap_trigrams": 0.1, "duplicates": 3, "leaked_target_rows": 2,
        "unigram_js": 0.6, "unigram_js_low": 0.5, "unigram_js_high": 0.7, "unigram_js_rank": 1,
        "loss": 4.5, "loss_se": 0.1,
    }  # fmt: skip
    other = row | {"candidate": "<b>", "rank": 2, "effective_tokens": 2e4, "low": 1e3, "high": 1e6}
    return pd.DataFrame([row | {"candidate": "a", "rank": 1}, other | {"as_good_as_best": False}])


@pytest.fixture
def answer():
    return {
        "target": "goal",
        "sentence": "Use a.",
        "what_would_settle_it": "",
        "deciding_metric": "unigram_js",
        "warnings": {"a": ["Beware."], "goal": ["Short."]},
        "examples": {"a": {"nearest": [{"row_id": "a#1", "opening": "<script>x</script>"}], "farthest": []}},
        "leaks": {"a": [{"doc_id": "t#1", "row_id": "a#9"}], "<b>": []},
    }


def test_everything_of_the_answer_is_on_the_page(ranking, answer):
    html = ranking_page(ranking, answer)
    for text in (
        "<h1>Use a.</h1>",
        "Beware.",
        "goal: Short.",
        "a#1",
        "t#1",
        "a#9",
        "70%",
        "100k to 10M",
        "4.500 ± 0.196",
    ):
        assert text in html


def test_texts_of_users_are_no_markup(ranking, answer):
    html = ranking_page(ranking, answer)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;" in html


def test_bars_lie_on_one_logarithmic_axis(ranking, answer):
    """From the lowest end, 1k, to the highest, 10M: 1M is three quarters of the way."""
    html = ranking_page(ranking, answer)
    assert '<u style="left: 75.0%">' in html
    assert '<i style="left: 50.0%; right: 0.0%">' in html


def test_without_surveys_their_columns_are_left_out(ranking, answer):
    columns = ["overlap_words", "overlap_trigrams", "duplicates", "leaked_target_rows"]
    html = ranking_page(ranking.assign(**dict.fromkeys(columns)), answer | {"examples": {}, "leaks": {}})
    assert "leaked target rows" not in html
    assert "Rows nearest" not in html


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5"), (999.9, "1k"), (999.4, "999"), (1234, "1.23k"), (4e6, "4M"), (2.5e12, "2.5T")],
)
def test_amounts_have_three_figures(value, text):
    assert amount(value) == text


def test_shares_near_the_ends_are_not_rounded_to_them():
    assert [share(value) for value in (0, 0.004, 0.123, 0.999, 1)] == ["0%", "<1%", "12%", ">99%", "100%"]

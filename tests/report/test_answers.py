import pandas as pd
import pytest

from workflow_scripts.report.answers import (
    amount,
    mix_page,
    mix_sentence,
    ranking_page,
    selection_page,
    share,
)


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


@pytest.fixture
def mix():
    row = {
        "share_low": 0.1,
        "share_high": 0.9,
        "epochs": 1.5,
        "capped": True,
        "price": 2.5,
        "budget_price": 0.5,
    }
    parts = {"a": 600, "<b>": 400, "c": 0}
    return pd.DataFrame(
        [row | {"candidate": name, "tokens": n, "share": n / 1000} for name, n in parts.items()]
    )


@pytest.fixture
def gains():
    row = {"against": "uniform", "effective_token_ratio": 1.61, "low": 1.2, "high": 2.1}
    row |= {"nats": 0.07, "nats_low": 0.02, "nats_high": 0.11}
    return pd.DataFrame([row | {"target": target} for target in ("goal", "mean")])


def test_shares_and_their_gain(mix, gains):
    assert mix_sentence(mix, gains) == (
        "60% a, 40% <b>. This makes 1.6 times the effective tokens of equal shares (95% interval 1.2 to 2.1)."
    )
    assert "so perhaps no gain" in mix_sentence(mix, gains.assign(low=0.8))
    html = mix_page(mix, gains)
    for text in (
        "<h1>60% a, 40% &lt;b&gt;</h1>",
        "1.50 (all allowed)",
        "for goal from 1k tokens",
        "0.50% more",
    ):
        assert text in html


def test_many_shares_are_counted(mix, gains):
    many = pd.concat([mix.assign(candidate=f"{i}") for i in range(3)])
    assert "and 2 more" in mix_sentence(many, gains)


def test_a_selection_says_what_was_chosen_and_left_out():
    source = {"rows": 50, "chosen_rows": 7, "chosen_tokens": 700, "share": 1.0, "licence": "CC0"}
    summary = {
        "rows": 50,
        "chosen": {"rows": 7, "tokens": 700},
        "sources": {"pool_1": source},
        "notes": ["The pool is small."],
        "leaks": {"rows": 3, "target_rows": 2},
        "duplicates": {"equal": 4, "near": 5},
        "skipped": {"text missing or empty": 6},
        "scores": {"pool": {"0.5": 0.1}, "chosen": {"0.5": 0.4}},
        "rules": {"leaks": "l", "near_copies": "n", "score": "s"},
    }
    html = selection_page(summary, "goal", {"goal": "My goal", "pool_1": "web <1>"})
    for text in (
        "700 tokens for My goal: 7 rows chosen from 50.",
        "web &lt;1&gt;",
        "CC0",
        "3 rows repeat 2 rows",
    ):
        assert text in html
    for text in (
        "4 copies and 5 near-copies",
        "6 rows: text missing or empty",
        "The pool is small.",
        "0.400",
    ):
        assert text in html

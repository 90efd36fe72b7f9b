import numpy as np
import pytest

from workflow_scripts.choosing.answer import ranking_answer
from workflow_scripts.choosing.verification import ShortRuns
from workflow_scripts.choosing.warnings import of_candidate, of_target


def test_a_row_a_candidate_with_what_every_measure_says(measured):
    table, answer = ranking_answer(measured(), 2000, 0)
    assert list(table["candidate"]) == ["a", "b", "c"]
    assert list(table["ngram_cross_entropy_rank"]) == [1, 2, 3]
    assert table["unigram_js"].tolist() == pytest.approx([-0.75, -0.79, -0.90])
    assert (table["ngram_cross_entropy_low"] < table["ngram_cross_entropy"]).all()
    assert table["overlap_trigrams"].tolist() == [0.1, 0.1, 0.1]
    assert table["duplicates"].tolist() == [3, 3, 3]
    assert answer["deciding_metric"] == "ngram_cross_entropy"
    assert answer["warnings"] == {}
    assert answer["examples"]["a"]["nearest"][0]["row_id"] == "a#1"


def test_without_surveys_their_columns_are_empty(measured):
    table, answer = ranking_answer(measured(surveys={}), 2000, 0)
    assert table["leaked_target_rows"].isna().all()
    assert answer["examples"] == {}


def test_leaks_are_told_with_what_to_do(measured, survey):
    few = {"target_rows": 3, "rows": 4, "pairs": [{"doc_id": "t#1", "row_id": "a#9"}]}
    every = {"target_rows": 200, "rows": 400, "pairs": []}
    surveys = {"a": survey(leaks=few), "b": survey(leaks=every), "c": survey()}
    one = measured(surveys=surveys)
    assert of_candidate(one, "a")[0].startswith("3 rows of 200 of goal recur in it: leave them out")
    assert of_candidate(one, "b")[0].startswith("Every row of goal recurs in it")
    assert of_candidate(one, "c") == []
    table, answer = ranking_answer(one, 2000, 0)
    assert table.set_index("candidate").loc["a", "leaked_target_rows"] == 3
    assert answer["leaks"]["a"] == few["pairs"]


def test_equal_alignments_to_the_last_digit_are_one_text(measured):
    one = measured(alignments={"a": -7.5, "b": -7.5, "c": -9.0})
    assert of_candidate(one, "a") == ["It has the same alignments as b, so probably the same text."]
    assert of_candidate(one, "c") == []


def test_another_script_damage_and_repetition_are_told(measured, survey):
    odd = survey(
        main_script="Cyrillic",
        main_script_share=0.8,
        damaged_rows=0.2,
        duplicates={"rows": 500, "is_exact": True},
        skipped={"text missing or empty": 900},
    )
    said = of_candidate(measured(surveys={"a": odd, "b": survey(), "c": survey()}), "a")
    assert [sentence.split()[0] for sentence in said] == ["80%", "20%", "50%", "Rows"]
    assert "900 text missing or empty" in said[-1]


def test_mixed_scripts_are_named_with_their_shares(measured, survey):
    scripts = {"Cyrillic": 0.3, "Greek": 0.1}
    mixed = survey(main_script="Latin", main_script_share=0.6, other_scripts=scripts, languages={})
    one = measured(surveys={"a": mixed, "b": survey(), "c": survey()})
    assert [said.split(":")[0] for said in of_candidate(one, "a")] == [
        "Its letters are mixed (60% Latin, 30% Cyrillic, 10% Greek)"
    ]
    assert of_candidate(one, "b") == []
    target = {
        "rows": 200,
        "main_script": "Latin",
        "main_script_share": 0.7,
        "other_scripts": {"Thai": 0.3},
        "languages": {"English": 0.6},
    }
    again = measured(surveys={name: survey(target=target) for name in "abc"})
    assert of_target(again)[0].startswith("Its letters are mixed (70% Latin, 30% Thai)")


def test_another_language_and_several_languages_are_named(measured, survey):
    one = measured(
        surveys={
            "a": survey(languages={"Dutch": 0.8}),
            "b": survey(languages={"German": 0.2, "English": 0.7}, other_scripts={"Cyrillic": 0.06}),
            "c": survey(languages={"Dutch": 0.3}),
        }
    )
    assert of_candidate(one, "a") == ["80% of it is in Dutch, and the target is in English."]
    (mixed,) = of_candidate(one, "b")
    assert mixed.startswith("It is in several languages (70% English, 20% German): split it by language")
    assert of_candidate(one, "c") == []  # most of it is in no known language, as code is


def test_little_text_is_told_of_the_target_and_of_a_candidate(measured):
    one = measured(batch_tokens=512, sizes={"a.train": {"tokens": 4000}, "goal.eval": {"documents": 1}})
    assert "512 tokens with 512 at a time instead of 4096" in of_target(one)[0]
    assert "one document" in of_target(one)[1]
    assert of_candidate(one, "a") == ["It has only 4000 tokens, so its interval is rough."]


def test_labels_replace_names_everywhere(measured):
    labels = {"a": "My File-1.x", "goal": "Goal"}
    table, answer = ranking_answer(measured().called(labels), 2000, 0)
    assert table["candidate"][0] == "My File-1.x"
    assert answer["target"] == "Goal"
    assert answer["sentence"].startswith(("Use My File-1.x", "My File-1.x"))
    assert list(answer["examples"]) == ["My File-1.x", "b", "c"]


def test_losses_of_short_runs_stand_beside_the_candidates_that_were_trained_on(measured):
    runs = ShortRuns(
        ("c", "a"), np.array([-1.0, 0.0]), np.zeros(2), np.array([5.5, 5.0]), np.array([0.1, 0.2])
    )
    table, _ = ranking_answer(measured(), 2000, 0, runs)
    losses = table.set_index("candidate")["loss"]
    assert (losses["a"], losses["c"]) == (5.0, 5.5) and np.isnan(losses["b"])
    assert table.set_index("candidate").loc["a", "loss_se"] == 0.2
    without, _ = ranking_answer(measured(), 2000, 0)
    assert without["loss"].isna().all()

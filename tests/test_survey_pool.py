"""The program that surveys one candidate."""

import json

import pytest

from tests.pool.conftest import legal, medical, write_lines, write_target
from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import read_json
from workflow_scripts.survey_pool import main


@pytest.fixture
def target(tmp_path):
    return write_target(tmp_path / "documents.parquet", medical(40, seed=7))


def survey(tmp_path, target, split="eval", **spec):
    spec = {"source": "files", "paths": [str(tmp_path / "*.jsonl")], **spec}
    arguments = ["--name", "mine", "--spec", json.dumps(spec), "--target", str(target), "--split", split]
    main([*arguments, "--seed", "0", "--output", str(tmp_path / "out.json")])
    return read_json(tmp_path / "out.json")


def test_a_candidate_is_counted_and_its_examples_are_shown(tmp_path, target):
    write_lines(tmp_path / "a.jsonl", [*legal(30), *medical(10), legal(1)[0].upper(), medical(40, seed=7)[3]])
    (tmp_path / "b.jsonl").write_text('{"text": ""}\n{"text": "мир \\u0000"}\n')
    found = survey(tmp_path, target)
    assert (found["rows"], found["files"], found["words"]) == (43, 2, 42 * 60 + 1)
    assert found["median_words"] == 60 and found["skipped"] == {"text missing or empty": 1}
    assert found["duplicates"] == {"rows": 1, "is_exact": True}
    assert found["leaks"]["target_rows"] == found["leaks"]["rows"] == 1
    assert found["leaks"]["pairs"] == [{"doc_id": "t#3", "row_id": "a.jsonl#41"}]
    assert found["overlap"]["1"] == 1 and found["overlap"]["2"] > found["overlap"]["3"] > 0
    assert {row["row_id"] for row in found["nearest"]} <= {
        f"a.jsonl#{number}" for number in [*range(30, 40), 41]
    }
    assert {row["row_id"] for row in found["farthest"]} <= {
        f"a.jsonl#{number}" for number in [*range(30), 40]
    }
    assert found["nearest"][0]["score"] >= found["nearest"][1]["score"] > 0 > found["farthest"][0]["score"]
    assert max(len(row["opening"]) for row in found["nearest"]) <= 300
    assert found["main_script"] == "Latin" and found["damaged_rows"] == pytest.approx(1 / 43)
    assert found["target"]["rows"] == 40


def test_another_script_is_named(tmp_path, target):
    write_lines(tmp_path / "a.jsonl", ["Мы говорим по-русски и пишем (in Latin)"] * 3)
    found = survey(tmp_path, target)
    assert found["other_scripts"] == {"Latin": pytest.approx(1 - found["main_script_share"])}
    assert found["main_script"] == "Cyrillic" and 0.6 < found["main_script_share"] < 0.9
    assert found["non_ascii_letters"] == pytest.approx(found["main_script_share"])
    assert found["target"]["main_script"] == "Latin"


def test_languages_have_their_shares_of_the_words(tmp_path, target):
    dutch = "Het comité heeft besloten dat het verslag niet voor het einde van dit jaar wordt besproken."
    english = "The committee has decided that it will not discuss the report before the end of the year."
    write_lines(tmp_path / "a.jsonl", [dutch] * 3 + [english] * 6 + ["x = y + z"] * 5)
    found = survey(tmp_path, target)
    words = {"dutch": 3 * 17, "english": 6 * 18, "code": 5 * 5}
    assert set(found["languages"]) == {"English", "Dutch"}
    assert found["languages"]["Dutch"] == pytest.approx(words["dutch"] / sum(words.values()))
    assert found["languages"]["English"] == pytest.approx(words["english"] / sum(words.values()))


def test_pairs_are_listed_up_to_a_hundred(tmp_path, target, caplog):
    write_lines(tmp_path / "a.jsonl", medical(40, seed=7) * 5)
    found = survey(tmp_path, target)
    assert (found["leaks"]["target_rows"], found["leaks"]["rows"], len(found["leaks"]["pairs"])) == (
        40,
        200,
        100,
    )
    assert "every row repeats a row of the target" in caplog.text


CASES = [
    ({"text": "body"}, '{"text": "a"}\n', r"row a.jsonl#0 has no column 'body'; its columns are text"),
    ({}, "", "pool mine: its files have no rows"),
    ({}, "\x00\x01", "a.jsonl line 1 is not JSON"),
    ({}, '{"text": "a"}\n{"text": \n', "pool mine: .*a.jsonl line 2 is not JSON"),
    (
        {"where": {"text": "b"}},
        '{"text": "a"}\n',
        "no row of its files can be read as text .1 not admitted by where",
    ),
    ({"paths": ["nowhere.jsonl"]}, "", "no file matches 'nowhere.jsonl'"),
]


@pytest.mark.parametrize(("spec", "content", "message"), CASES)
def test_what_cannot_be_surveyed_is_one_sentence(tmp_path, target, spec, content, message):
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        survey(tmp_path, target, **spec)
    assert "\n" not in str(caught.value) and not (tmp_path / "out.json").exists()


def test_a_target_with_too_few_words_is_refused(tmp_path):
    write_lines(tmp_path / "a.jsonl", legal(3))
    target = write_target(tmp_path / "documents.parquet", medical(2))
    with pytest.raises(UserError, match="has 120 words in 2 rows, but at least 500"):
        survey(tmp_path, target)
    with pytest.raises(UserError, match="the train side of the target has 0 words"):
        survey(tmp_path, target, split="train")

"""The configs that commands write are ones that the workflow accepts."""

import argparse
import json
from pathlib import Path

import pytest

from workflow_scripts.command_line import named_numbers
from workflow_scripts.commands.config import question_config, selection_config, verifying_config
from workflow_scripts.commands.mix import _by_config_name
from workflow_scripts.commands.options import Shared, number
from workflow_scripts.commands.select import places
from workflow_scripts.commands.text_files import look_at
from workflow_scripts.errors import UserError
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.surroundings import over_default_run

SHARED = Shared(Path("answer"), None, 2, 3, None)


@pytest.fixture
def files(tmp_path):
    row = json.dumps({"text": "some words of a text that repeats itself " * 20})
    for name in ("Goal", "A-1", "b"):
        (tmp_path / f"{name}.jsonl").write_text(f"{row}\n" * 40)
    return look_at([str(tmp_path / f"{name}.jsonl") for name in ("Goal", "A-1", "b")], None)


def accepted(config):
    return checked(over_default_run(config))


def test_a_ranking_and_its_short_runs(files):
    target, *candidates = files
    question = {"name": "rank", "kind": "rank", "target": "goal", "candidates": ["a_1", "b"]}
    config = question_config(question, [target], candidates, ["unigram_js"], SHARED)
    found = accepted(config)
    assert found["questions"][0]["labels"] == {"goal": "Goal", "a_1": "A-1", "b": "b"}
    assert found["corpora"]["goal"]["held_out"] == 1 and found["corpora"]["b"]["held_out"] == 0
    assert found["seed"] == 3
    assert found["estimators"]["published"]["fewer_rows"] and found["estimators"]["corrected"]["fewer_rows"]
    verified = accepted(verifying_config(config, ["a_1", "b"], 25_000))
    assert verified["recipes"]["from_scratch"]["tokens"] == [5625, 11250, 22500]
    assert verified["questions"][0]["verified_by"] == verified["experiments"][0]["name"]
    with pytest.raises(
        UserError, match="--verify needs 16384 tokens of each candidate, but the smallest has 9000"
    ):
        verifying_config(config, ["a_1", "b"], 9000)
    with pytest.raises(UserError, match="at least two candidates"):
        verifying_config(config, ["b"], 10**6)


def test_a_selection_from_few_files_and_from_many(files):
    target, *pool = files
    found = accepted(selection_config(target, pool, 1000, "jsonl", SHARED))
    assert found["questions"][0]["pool"] == ["a_1", "b"]
    many = accepted(selection_config(target, pool * 15, 1000, "parquet", SHARED))
    assert many["questions"][0]["pool"] == ["pool_1"]
    assert len(many["corpora"]["pool_1"]["paths"]) == 30


@pytest.mark.parametrize(
    ("text", "count"),
    [("5000000", 5_000_000), ("5M", 5_000_000), ("1.5G", 1_500_000_000), ("2e6", 2_000_000), ("5,000", 5000)],
)
def test_tokens_as_people_write_them(text, count):
    assert number(text) == count


@pytest.mark.parametrize("text", ["five", "-3", "0", "5X", "1.2.3M", ""])
def test_what_is_no_number_of_tokens(text):
    with pytest.raises(
        argparse.ArgumentTypeError, match="is not a number of tokens; write 5000000, 5e6 or 5M"
    ):
        number(text)


def test_weights_name_files_as_users_do(files):
    assert named_numbers("weights", ["A-1=2", "x=y=0.5"]) == {"A-1": 2.0, "x=y": 0.5}
    for wrong in ("A-1", "=2", "A-1=much"):
        with pytest.raises(UserError, match="write it as NAME=NUMBER"):
            named_numbers("weights", [wrong])
    by_path = {"A-1": 1.0, "b.jsonl": 2.0, str(files[0].path): 3.0}
    assert _by_config_name("--weights", by_path, files) == {"a_1": 1.0, "b": 2.0, "goal": 3.0}
    with pytest.raises(UserError, match="unknown name c; known are Goal, A-1, b"):
        _by_config_name("--weights", {"c": 1.0}, files)


def test_rows_are_a_file_or_lie_in_a_folder():
    assert places(Path("x/chosen.jsonl")) == (Path("x/chosen.jsonl"), Path("x/chosen"))
    assert places(Path("answer")) == (Path("answer/chosen.parquet"), Path("answer"))

"""What is in memory becomes the files of a command; the runs themselves are tested in tests/rules/test_questions.py."""

import json
from pathlib import Path

import pytest
from datasets import Dataset

from workflow_scripts import api
from workflow_scripts.errors import UserError


@pytest.fixture
def called(monkeypatch):
    """What the command is given, instead of a run."""
    calls = []

    def stop(*given, **options):
        calls.append((given, options))
        raise KeyboardInterrupt

    for name in ("rank_files", "select_rows", "mix_files"):
        monkeypatch.setattr(api, name, stop)

    def call(function, *given, **options):
        with pytest.raises(KeyboardInterrupt):
            function(*given, **options)
        return calls[-1]

    return call


def texts_in(path):
    with Path(path).open(encoding="utf-8") as stream:
        return [json.loads(line)["text"] for line in stream]


def test_lists_data_sets_and_files_are_all_files(tmp_path, called):
    texts = ["one ü", "two\nlines"]
    candidates = {
        "list": texts,
        "set": Dataset.from_dict({"text": texts, "id": [1, 2]}),
        "file": "there/a.jsonl",
    }
    (target, files, shared), options = called(
        api.rank, texts, candidates, output=tmp_path, metrics=["unigram_js"], seed=4
    )
    assert texts_in(target) == texts
    assert [texts_in(path) for path in files[:2]] == [texts, texts]
    assert files[2] == "there/a.jsonl"
    assert (shared.output, shared.seed) == (tmp_path, 4) and options["metrics"] == ["unigram_js"]


def test_files_alone_are_called_as_they_are(tmp_path, called):
    (target, files, _), _ = called(api.rank, tmp_path / "t.jsonl", [tmp_path / "a.jsonl", "b.csv"])
    assert (target, files) == (str(tmp_path / "t.jsonl"), [str(tmp_path / "a.jsonl"), "b.csv"])


def test_another_column_is_kept_under_its_name(tmp_path, called):
    data = Dataset.from_dict({"body": ["x"], "text": ["y"]})
    (_, (path,), shared), _ = called(api.rank, "t.jsonl", {"a": data}, text="body", output=tmp_path)
    with Path(path).open(encoding="utf-8") as stream:
        assert json.loads(stream.read()) == {"body": "x"}
    assert shared.text == "body"
    with pytest.raises(UserError, match="a has no column title; its columns are body, text"):
        api.rank("t.jsonl", {"a": data}, text="title", output=tmp_path)


def test_rows_of_select_may_be_a_file_and_its_inputs_lie_in_the_folder_beside(tmp_path, called):
    (target, _, shared), options = called(
        api.select, ["text"], ["a.jsonl"], tokens=5, output=tmp_path / "c.jsonl"
    )
    assert target == str(tmp_path / "c" / "inputs" / "target.jsonl")
    assert shared.output == tmp_path / "c.jsonl" and options["tokens"] == 5


def test_mix_has_several_targets(tmp_path, called):
    (targets, files, _), options = called(
        api.mix, {"t": ["x"], "u": ["y"]}, ["a.jsonl", "b.jsonl"], tokens=9, weights={"t": 2}, output=tmp_path
    )
    assert [texts_in(path) for path in targets] == [["x"], ["y"]]
    assert files == ["a.jsonl", "b.jsonl"]
    assert options["weights"] == {"t": 2} and options["minimum_shares"] == {} and options["epochs"] == 4

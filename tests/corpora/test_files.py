"""Documents from files of each format, and rows as documents."""

import gzip
import json
import os

import pandas as pd
import pytest

from workflow_scripts.corpora.sources import files
from workflow_scripts.errors import UserError

ROWS = [
    {"nl": "one is one", "formal": "1 = 1", "split": "valid"},
    {"nl": "two is two", "formal": "2 = 2", "split": "test"},
    {"nl": "", "formal": "3 = 3", "split": "test"},
    {"nl": "four is four", "formal": "4 = 4", "split": "test"},
]


@pytest.fixture
def folder(tmp_path):
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "rows.jsonl").write_text(lines + "\n")
    with gzip.open(tmp_path / "zipped.jsonl.gz", "wt") as stream:
        stream.write(lines)
    pd.DataFrame(ROWS).to_csv(tmp_path / "rows.csv", index=False)
    pd.DataFrame(ROWS).to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "texts" / "deep").mkdir(parents=True)
    (tmp_path / "texts" / "b.txt").write_text("second text")
    (tmp_path / "texts" / "deep" / "a.txt").write_text("first text")
    return tmp_path


def documents(spec):
    return list(files.read(spec).documents)


@pytest.mark.parametrize("name", ["rows.jsonl", "zipped.jsonl.gz", "rows.csv", "rows.parquet"])
def test_each_table_format_gives_the_same_pairs(folder, name):
    spec = {"paths": [str(folder / name)], "prompt": "nl", "completion": "formal", "where": {"split": "test"}}
    found = documents(spec)
    assert [(one.name, one.prompt, one.completion) for one in found] == [
        (f"{name}#1", "two is two\n", "2 = 2"),
        (f"{name}#3", "four is four\n", "4 = 4"),
    ]
    assert [one.text for one in found] == ["two is two\n2 = 2", "four is four\n4 = 4"]


def test_templates_make_the_text_and_the_border(folder):
    spec = {
        "paths": str(folder / "rows.jsonl"),
        "prompt_template": "informal statement {nl} ",
        "completion_template": "formal statement {formal}",
        "documents": 1,
    }
    (document,) = documents(spec)
    assert document.text == "informal statement one is one formal statement 1 = 1"
    assert document.completion == "formal statement 1 = 1"


def test_a_plain_template_joins_columns_and_an_object_column_names_the_object(folder):
    spec = {"paths": str(folder / "rows.jsonl"), "template": "{formal}: {nl}.", "source_object": "split"}
    found = documents(spec)
    assert found[0].text == "1 = 1: one is one."
    assert found[0].prompt is None
    assert [one.source_object for one in found] == ["valid", "test", "test"]


def test_globs_of_text_files_are_read_in_order_and_named_without_their_folder(folder):
    found = documents({"paths": [str(folder / "texts" / "**" / "*.txt")]})
    assert [(one.name, one.text) for one in found] == [("b.txt", "second text"), ("deep/a.txt", "first text")]


def test_variables_and_home_are_expanded(folder, monkeypatch):
    monkeypatch.setenv("SOME_DATA", str(folder))
    monkeypatch.setenv("HOME", str(folder))
    assert len(documents({"paths": ["$SOME_DATA/texts/b.txt", "~/texts/deep/a.txt"]})) == 2


def test_the_revision_follows_the_content_and_not_the_place(folder):
    before = files.read({"paths": [str(folder / "rows.csv")]}).provenance
    moved = folder / "elsewhere"
    moved.mkdir()
    (folder / "rows.csv").rename(moved / "rows.csv")
    after = files.read({"paths": [str(moved / "rows.csv")]}).provenance
    assert before == after
    assert before["source"] == "files: rows.csv"
    with (moved / "rows.csv").open("a") as stream:
        stream.write("five,5,test\n")
    assert files.read({"paths": [str(moved / "rows.csv")]}).provenance["revision"] != before["revision"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"paths": []}, "paths is empty"),
        ({"paths": ["/nowhere/*.txt"]}, "no file matches '/nowhere/\\*.txt'"),
        ({"paths": ["$NOT_SET_ANYWHERE/x.txt"]}, "NOT_SET_ANYWHERE"),
        ({"text": "body"}, "no column 'body'; its columns are nl, formal, split"),
        ({"where": {"side": "left"}}, "no column 'side'"),
        ({"prompt": "nl"}, "prompt is not a valid choice"),
        ({"text": "nl", "template": "{nl}"}, "text, template is not a valid choice"),
    ],
)
def test_mistakes_get_one_clear_line(folder, change, message):
    with pytest.raises(UserError, match=message) as caught:
        documents({"paths": [str(folder / "rows.jsonl")], **change})
    assert "\n" not in str(caught.value)


def test_broken_lines_and_unknown_formats_are_named(folder):
    (folder / "broken.jsonl").write_text('{"text": "fine"}\n{"text": \n')
    with pytest.raises(UserError, match=r"broken\.jsonl line 2 is not JSON"):
        documents({"paths": [str(folder / "broken.jsonl")]})
    (folder / "notes.docx").write_text("x")
    with pytest.raises(UserError, match=r"'notes\.docx' .*allowed are \.txt"):
        documents({"paths": [str(folder / "notes.docx")]})


@pytest.mark.skipif(not os.environ.get("PLUMBLINE_SHARED"), reason="PLUMBLINE_SHARED is not set")
def test_a_file_of_formal_pairs_is_read():
    spec = {
        "paths": ["$PLUMBLINE_SHARED/corpora/af_proofnet_lean4.jsonl.gz"],
        "prompt": "nl",
        "completion": "formal",
        "where": {"split": ["test"]},
    }
    found = documents(spec)
    assert 100 < len(found) < 371
    assert all(one.completion and ":" in one.completion for one in found)


def test_documents_are_cut_at_characters(folder):
    found = documents({"paths": str(folder / "rows.jsonl"), "text": "nl", "characters": 6})
    assert [one.text for one in found] == ["one is", "two is", "four i"]
    with pytest.raises(UserError, match="characters cuts plain text only; remove it or prompt"):
        documents(
            {"paths": str(folder / "rows.csv"), "prompt": "nl", "completion": "formal", "characters": 6}
        )


def test_rows_joined_are_what_an_f_string_makes_of_a_batch(folder):
    spec = {
        "paths": str(folder / "rows.jsonl"),
        "template": "informal {nl} formal {formal}",
        "joined_rows": 2,
    }
    batch = {"nl": ["one is one", "two is two"], "formal": ["1 = 1", "2 = 2"]}
    found = documents(spec)
    assert found[0].text == f"informal {batch['nl']} formal {batch['formal']}"
    assert len(found) == 2
    (together,) = documents({**spec, "joined_rows": 512, "where": {"split": "test"}, "documents": 1})
    assert together.text == "informal ['two is two', '', 'four is four'] formal ['2 = 2', '3 = 3', '4 = 4']"


def test_a_list_of_objects_fills_the_template_once_for_each(tmp_path):
    tactics = [{"state": "a = b", "tactic": "rw h"}, {"state": "b = b", "tactic": "rfl"}]
    rows = [{"tactics": tactics}, {"tactics": []}, {"tactics": tactics[1:]}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {
        "paths": str(tmp_path / "rows.jsonl"),
        "items": "tactics",
        "template": "State: {state} Tactic: {tactic}",
    }
    assert [one.text for one in documents(spec)] == [
        "State: a = b Tactic: rw h State: b = b Tactic: rfl",
        "State: b = b Tactic: rfl",
    ]


def test_a_column_may_have_a_name_that_no_template_could_hold(tmp_path):
    (tmp_path / "rows.jsonl").write_text(json.dumps({"Statement:": "a text", "{x}": "another"}) + "\n")
    path = str(tmp_path / "rows.jsonl")
    assert [one.text for one in documents({"paths": path, "text": "Statement:"})] == ["a text"]
    (pair,) = documents({"paths": path, "prompt": "Statement:", "completion": "{x}"})
    assert (pair.prompt, pair.completion) == ("a text\n", "another")


def test_the_first_documents_can_be_skipped(folder):
    spec = {"paths": str(folder / "rows.jsonl"), "text": "nl"}
    assert [one.text for one in documents({**spec, "skip": 1})] == ["two is two", "four is four"]
    assert [one.text for one in documents({**spec, "skip": 1, "documents": 1})] == ["two is two"]

import gzip
import json

import pandas as pd
import pytest

from workflow_scripts.commands.text_files import FEWEST_WORDS, look_at, usable
from workflow_scripts.corpora.sources.files import matching_files
from workflow_scripts.errors import UserError


def write(path, rows):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
    return str(path)


@pytest.fixture
def texts():
    return [{"text": f"row {i} " + "some words of text " * 5, "id": i} for i in range(200)]


def test_names_are_stems_in_the_answer_and_plain_in_the_config(tmp_path, texts):
    names = ["My File-1.jsonl", "my_file_1.jsonl.gz", "données.v2.jsonl", "1.jsonl"]
    files = look_at([write(tmp_path / name, texts) for name in names], None)
    assert [one.label for one in files] == ["My File-1", "my_file_1", "données.v2", "1"]
    assert [one.name for one in files] == ["my_file_1", "my_file_1_2", "donn_es_v2", "1"]


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path, texts):
    """Names are keys of the answer: two candidates that are both called train would be one."""
    for folder in ("web", "books", "more/web"):
        (tmp_path / folder).mkdir(parents=True)
    places = ("web/train.jsonl", "books/train.jsonl", "more/web/train.jsonl", "test.jsonl")
    files = look_at([write(tmp_path / place, texts) for place in places], None)
    assert [one.label for one in files] == ["web/train", "books/train", "web/train (2)", "test"]
    assert len({one.name for one in files}) == 4


def test_a_path_is_no_pattern(tmp_path, texts, monkeypatch):
    """The entry names the one file, whatever is in its name and wherever the run is."""
    path = write(tmp_path / "a[1]*.jsonl", texts)
    write(tmp_path / "a1x.jsonl", texts)
    monkeypatch.chdir(tmp_path)
    (one,) = look_at(["a[1]*.jsonl"], None)
    assert [str(found) for found in matching_files(one.entry)] == [path]


@pytest.mark.parametrize(
    ("row", "option", "entry"),
    [
        ({"text": "t", "other": "o"}, None, {"text": "text"}),
        ({"body": "t", "year": 1990}, None, {"text": "body"}),
        (
            {"prompt": "p", "completion": "c", "id": "x"},
            None,
            {"prompt": "prompt", "completion": "completion"},
        ),
        ({"text": "t", "abstract": "a"}, "abstract", {"text": "abstract"}),
    ],
)
def test_the_column_of_the_text(tmp_path, row, option, entry):
    (one,) = look_at([write(tmp_path / "a.jsonl", [row] * 3)], option)
    assert {key: value for key, value in one.entry.items() if key not in ("source", "paths")} == entry


def test_every_format_is_looked_at(tmp_path, texts):
    frame = pd.DataFrame(texts)
    frame.to_parquet(tmp_path / "p.parquet")
    frame.to_csv(tmp_path / "c.csv", index=False)
    frame.to_csv(tmp_path / "z.csv.gz", index=False)
    (tmp_path / "t.txt").write_text("\n".join(frame["text"]))
    write(tmp_path / "j.jsonl.gz", texts)
    files = look_at([str(path) for path in sorted(tmp_path.iterdir())], None)
    assert len({one.words_seen for one in files}) == 1
    assert all(one.is_seen_whole and not one.is_shorter_than(1500) for one in files)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.jsonl", None, "missing.jsonl: there is no such file"),
        ("empty.jsonl", b"", "empty.jsonl is empty"),
        ("blank.jsonl", b"\n\n", "blank.jsonl has no rows"),
        ("a.docx", b"x", "'a.docx' has an unknown format; allowed are .txt, .jsonl"),
        ("binary.txt", b"\xff\xfe\x00\x01", "binary.txt is not UTF-8 text"),
        (
            "cut.jsonl.gz",
            gzip.compress(b'{"text": "a"}\n' * 99)[:-20],
            "cut.jsonl.gz is not a complete gzip file",
        ),
        ("broken.jsonl", b'{"text": \n', "broken.jsonl line 1 is not JSON"),
        (
            "columns.jsonl",
            b'{"title": "a", "body": "b"}\n',
            "has no column text; choose one of title, body with --text COLUMN",
        ),
        ("hollow.jsonl", b'{"text": ""}\n{"text": null}\n', "the column text is empty in the first 2 rows"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_file(tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as mistake:
        look_at([str(path)], None)
    assert says in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_a_folder_and_a_column_that_is_not_there(tmp_path, texts):
    with pytest.raises(UserError, match="is a folder; name its files"):
        look_at([str(tmp_path)], None)
    path = write(tmp_path / "a.jsonl", texts)
    with pytest.raises(UserError, match="has no column body; its columns are text, id"):
        look_at([path], "body")


def test_what_cannot_be_compared_is_left_out_or_refused(tmp_path, texts, capsys):
    target, one, copy, short = look_at(
        [
            write(tmp_path / "target.jsonl", texts[:100] * 2),
            write(tmp_path / "one.jsonl", texts),
            write(tmp_path / "copy.jsonl", texts),
            write(tmp_path / "short.jsonl", texts[:3]),
        ],
        None,
    )
    assert usable([target], [one, copy, short]) == [one]
    said = capsys.readouterr().err
    assert f"copy.jsonl is left out: it is the same as {one.path}" in said
    assert f"short.jsonl is left out: it has 66 words, but a candidate needs {FEWEST_WORDS}" in said
    with pytest.raises(UserError, match="no candidate is left"):
        usable([target], [short])
    with pytest.raises(UserError, match=r"target.jsonl is the target itself"):
        usable([target], [one, target])
    with pytest.raises(
        UserError, match=rf"short.jsonl has 66 words, but a target needs at least {FEWEST_WORDS}"
    ):
        usable([short], [one])

"""Files that are not what their names say: one sentence with the file, never a traceback, never a made-up value."""

import gzip
import json

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workflow_scripts.corpora.sources import files
from workflow_scripts.errors import UserError
from workflow_scripts.plan.sources import largest_bytes
from workflow_scripts.pool.rows import PoolEntry, RowStream

pytestmark = pytest.mark.faults

TEXT = '{"text": "a line"}\n' * 500
LATIN = "caf\xe9".encode("latin-1")


def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "whole.parquet"
    pd.DataFrame({"text": ["a line"] * 500}).to_parquet(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole_parquet(tmp_path_factory):
    return parquet(tmp_path_factory)


def texts(tmp_path, name, content, **spec):
    (tmp_path / name).write_bytes(content)
    return [one.text for one in files.read({"paths": str(tmp_path / name), **spec}).documents]


ONE_SENTENCE = [
    ("cut.jsonl.gz", gzip.compress(TEXT.encode())[:-20], "is not a complete gzip file"),
    ("plain.jsonl.gz", TEXT.encode(), "is not a complete gzip file"),
    ("flipped.jsonl.gz", gzip.compress(TEXT.encode())[:30] + b"\xff" * 30, "is not a complete gzip file"),
    ("cut.csv.gz", gzip.compress(b"text\n" + b"a line\n" * 500)[:-12], "is not a complete gzip file"),
    ("plain.csv.gz", b"text\na line\n", "is not a complete gzip file"),
    ("latin.txt", LATIN, "is not UTF-8 text .byte 0xe9"),
    ("wide.txt", "a line".encode("utf-16"), "is not UTF-8 text"),
    ("latin.csv", b"text\n" + LATIN, "is not UTF-8 text"),
    ("wide.csv", "text\na line\n".encode("utf-16"), "is not UTF-8 text"),
    ("latin.jsonl", b'{"text": "' + LATIN + b'"}\n', "is not UTF-8 text"),
    ("wide.jsonl", TEXT.encode("utf-16"), "is not UTF-8 text"),
    ("latin.jsonl.gz", gzip.compress(b'{"text": "' + LATIN + b'"}\n'), "is not UTF-8 text"),
    ("zipped.jsonl", gzip.compress(TEXT.encode()), "is not UTF-8 text"),
    ("ragged.csv", b"text,more\na,b\na,b,c\n", "line 3 has 3 values, but the header has 2 columns"),
    ("short.csv", b"text,more\na,b\na\n", "line 3 has 1 values"),
    ("unclosed.csv", b'text\n"a line\nand more\n', "unclosed.csv line 3 is not CSV"),
    ("empty.csv", b"", "is empty; its first line must name the columns"),
    ("empty.parquet", b"", "is not a complete Parquet file"),
    ("text.parquet", b"a line", "is not a complete Parquet file"),
    ("digits.jsonl", b'{"text": ' + b"9" * 5000 + b"}\n", "line 1 is not JSON .a number has too many digits"),
    ("deep.jsonl", b"[" * 100_000 + b"\n", "line 1 is not JSON .nested too deeply"),
    (
        "deep_closed.jsonl",
        b'{"text": ' + b"[" * 9999 + b"]" * 9999 + b"}\n",
        "is not JSON .nested too deeply",
    ),
    ("list.jsonl", b"[1]\n", "line 1 is not an object"),
    (
        "mixed.jsonl",
        b'{"text": "a"}\n{"body": "b"}\n',
        r"row mixed.jsonl#1 has no column 'text'; its columns are body",
    ),
]


@pytest.mark.parametrize(
    ("name", "content", "message"), ONE_SENTENCE, ids=[name for name, *_ in ONE_SENTENCE]
)
def test_a_broken_file_is_named_in_one_sentence(tmp_path, name, content, message):
    with pytest.raises(UserError, match=f"{name}.*{message}|{message}") as caught:
        texts(tmp_path, name, content)
    assert name in str(caught.value) and "\n" not in str(caught.value)
    largest_bytes({"source": "files", "paths": str(tmp_path / name)})  # at the start of a run: no traceback


def test_a_damaged_parquet_file_is_named(tmp_path, whole_parquet):
    for kept in (10, len(whole_parquet) // 2, len(whole_parquet) - 1):
        with pytest.raises(UserError, match=r"cut\.parquet is not a complete Parquet file"):
            texts(tmp_path, "cut.parquet", whole_parquet[:kept])


@given(data=st.data())
def test_any_bytes_are_read_or_refused_in_one_sentence(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    name = data.draw(st.sampled_from(["a.txt", "a.csv", "a.jsonl", "a.jsonl.gz", "a.csv.gz", "a.parquet"]))
    content = data.draw(st.binary(max_size=200))
    if name.endswith(".gz") and data.draw(st.booleans()):
        content = gzip.compress(content)
    try:
        for text in texts(folder, name, b"text\n" * (name == "a.csv") + content):
            assert isinstance(text, str)
    except UserError as mistake:
        assert "\n" not in str(mistake)


@example(value=float("nan"))
@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_any_json_value_is_a_text_or_passed_over(tmp_path_factory, value):
    found = texts(tmp_path_factory.mktemp("any"), "a.jsonl", json.dumps({"text": value}).encode())
    is_missing = value is None or value != value or not str(value).strip()
    assert found == ([] if is_missing else [str(value)])


def test_a_value_that_a_row_lacks_is_not_made_up(tmp_path):
    assert texts(tmp_path, "rows.csv", b"text,more\n,b\na,\n") == ["a"]
    assert texts(tmp_path, "rows.csv", b"\xef\xbb\xbftext\nwith a mark\n\n") == ["with a mark"]


@pytest.mark.parametrize("template", ["{text", "text}", "{text!}", "{"])
def test_an_open_brace_in_a_template_is_named(tmp_path, template):
    with pytest.raises(UserError, match=r"template = .*write \{\{ and \}\} for braces"):
        texts(tmp_path, "rows.jsonl", TEXT.encode(), template=template)


@pytest.mark.parametrize(
    "name", ["-rf.txt", "$(touch x).txt", "a\nb.txt", "`touch x`.txt", "; touch x #.txt", "\u202e.txt"]
)
def test_nasty_names_are_names(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("a text")
    found = list(files.read({"paths": str(tmp_path / "*.txt")}).documents)
    assert [(one.name, one.text) for one in found] == [(name, "a text")]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def appended(path):
    with path.open("ab") as stream:
        stream.write(b'{"text": "one more"}\n')


def replaced(path):
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def rewritten(path):
    path.write_bytes(path.read_bytes().replace(b"a line", b"b line"))


@pytest.mark.parametrize("change", [appended, replaced, rewritten])
@pytest.mark.parametrize("name", ["a.jsonl", "b.jsonl"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, change, name):
    for each in ("a.jsonl", "b.jsonl"):
        (tmp_path / each).write_text(TEXT)
    documents = files.read({"paths": str(tmp_path / "*.jsonl")}).documents
    next(documents)
    change(tmp_path / name)
    with pytest.raises(
        UserError, match=rf"{name} was changed while it was read; wait until nothing writes to it"
    ):
        list(documents)


@pytest.mark.parametrize("name", ["a.jsonl", "b.jsonl"])
def test_a_file_that_disappears_while_it_is_read_is_named(tmp_path, name):
    for each in ("a.jsonl", "b.jsonl"):
        (tmp_path / each).write_text(TEXT)
    documents = files.read({"paths": str(tmp_path / "*.jsonl")}).documents
    next(documents)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=rf"{name} has disappeared while it was read; put it back"):
        list(documents)


def test_a_file_of_a_pool_that_changes_while_it_is_read_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text(TEXT)
    entry = PoolEntry.opened("pool", {"source": "files", "paths": str(tmp_path / "a.jsonl")})
    (tmp_path / "a.jsonl").write_text(TEXT * 100)
    batches = RowStream(entry, entry.files).batches()
    next(batches)
    appended(tmp_path / "a.jsonl")
    with pytest.raises(UserError, match=r"pool pool: .*a\.jsonl was changed while it was read"):
        list(batches)

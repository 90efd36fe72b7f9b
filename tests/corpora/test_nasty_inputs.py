"""Files that are hard to read, given to the program itself: a table, or one sentence; little memory, nothing executed.

PLUMBLINE_INPUTS says how many files are generated.
"""

import gzip
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflow_scripts.command_line import run
from workflow_scripts.storage.tables import read_frame

pytestmark = pytest.mark.faults
INPUTS = int(os.environ.get("PLUMBLINE_INPUTS", "25"))
IS_LONG = INPUTS >= 1000
MOST_MEMORY = 2 << 30
DOCUMENTS = Path("out/corpora/x/documents.parquet")
MANIFEST = Path("out/corpora/x/manifest.json")
FORMATS = ("txt", "jsonl", "jsonl.gz", "csv", "csv.gz", "parquet")
NAMES = ("../x", "-rf", "$(touch executed)", "a\nb", "`touch executed`", "%s", "{}", "\u202e", "x" * 300)
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pandas", "pyarrow.parquet", "workflow_scripts.corpora.sources.files"])


def build(folder, log, spec, held_out=0.2):
    """Run the program in `folder`, in a process of its own. Returns its exit code and what it printed."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    words = ["--name", "x", "--spec", json.dumps(spec), "--held-out", str(held_out), "--seed", "0"]
    words += ["--documents", str(DOCUMENTS), "--manifest", str(MANIFEST)]
    child = FORKS.Process(target=_run, args=(folder, log, words))
    child.start()
    child.join()
    return child.exitcode, log.read_text(errors="replace")


def _run(folder, log, words):
    os.chdir(folder)
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", errors="backslashreplace") for number in (1, 2))
    sys.argv = ["build_corpus", *words]
    from workflow_scripts import build_corpus

    code = 1
    try:
        run(build_corpus.main)
        code = 0
    except SystemExit as end:
        code = end.code
    finally:
        print(f"\npeak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        if sys.exc_info()[0] in (None, SystemExit):
            os._exit(code)


def built_or_refused(folder, tmp_path, spec, before):
    """The documents, or the message. Whatever happens: one sentence, little memory, and no other file."""
    code, output = build(folder, tmp_path / "log", spec)
    assert "Traceback" not in output, output[-2000:]
    peak = int(re.findall(r"peak (\d+)", output)[-1]) << 10
    assert peak < MOST_MEMORY, f"{peak >> 20} MB"
    assert {path.relative_to(folder) for path in folder.iterdir()} - {Path("out")} == before
    written = {path.relative_to(folder) for path in (folder / "out").rglob("*") if path.is_file()}
    if code:
        assert code == 1 and written == set(), output
        messages = [line for line in output.splitlines() if line.startswith("error: ")]
        assert len(messages) == 1, output
        return messages[0]
    assert written == {DOCUMENTS, MANIFEST}
    return read_frame(folder / DOCUMENTS)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "inputs"
    path.mkdir()
    return path


def outcome_of(folder, tmp_path, name, content, **spec):
    """What becomes of the only file in the folder."""
    (folder / name).write_bytes(content)
    return built_or_refused(folder, tmp_path, {"source": "files", "paths": ["*"], **spec}, {Path(name)})


# Generated files ------------------------------------------------------------------------------------------------------

characters = st.text() | st.sampled_from(
    ["\0", "\ufeff", "\u202eevil", "שלום עולם", "مرحبا", "é" * 50, "\ud800", "nan", " "]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | characters | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(characters, inner, max_size=3),
    max_leaves=12,
)
rows = st.lists(
    st.dictionaries(st.sampled_from(["text", "more", "", "text "]) | characters, values, max_size=4),
    max_size=12,
)


def as_bytes(form, table, chance):
    """Rows in a format; values that the format does not have are written as their Python text."""
    if form.startswith("jsonl"):
        lines = "\n".join(json.dumps(row, ensure_ascii=chance.random() < 0.5) for row in table)
        content = lines.encode("utf-8", "surrogatepass")
    elif form.startswith("csv"):
        quote = chance.choice(['"', "", "'"])
        cells = ["\n".join(",".join(f"{quote}{value}{quote}" for value in row.values()) for row in table)]
        content = ("text,more\n" + cells[0]).encode("utf-8", "surrogatepass")
    elif form == "parquet":
        columns = sorted({key for row in table for key in row if key.isprintable()})
        frame = pd.DataFrame([{key: repr(row.get(key)) for key in columns} for row in table], columns=columns)
        if chance.random() < 0.3:
            frame["text"] = [[{"nested": [1, None]}]] * len(frame)
        content = frame.map(lambda v: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v)
        frame = content.rename(columns=lambda name: name.encode("utf-8", "replace").decode())
        content = frame.loc[:, ~frame.columns.duplicated()].to_parquet()
    else:
        content = "".join(str(row.get("text")) for row in table).encode("utf-8", "surrogatepass")
    return gzip.compress(content) if form.endswith(".gz") else content


def damaged(content, chance):
    """The content with some bytes changed, cut out, put in or zeroed."""
    changed = bytearray(content)
    for _ in range(chance.choice((0, 0, 1, 1, 3))):
        place, kind = chance.randrange(len(changed) + 1), chance.randrange(4)
        if kind == 0:
            changed[place : place + 1] = chance.randbytes(1)
        elif kind == 1:
            del changed[place : place + chance.randrange(40)]
        elif kind == 2:
            changed[place:place] = chance.randbytes(chance.randrange(20))
        else:
            changed[place : place + 20] = bytes(20)
    return bytes(changed)


@settings(
    max_examples=INPUTS, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    table=rows,
    form=st.sampled_from(FORMATS),
    seed=st.integers(0, 2**32),
    options=st.sampled_from(
        [
            {},
            {"template": "{text} {more}"},
            {"prompt": "text", "completion": "more"},
            {"where": {"more": "1"}},
            {"items": "text", "template": "{nested}"},
            {"joined_rows": 2, "template": "{text}"},
            {"sample_bytes": 100},
            {"characters": 3},
            {"source_object": "more"},
        ]
    ),
)
def test_any_file_is_built_or_refused_in_one_sentence(tmp_path_factory, table, form, seed, options):
    tmp_path, chance = tmp_path_factory.mktemp("any"), random.Random(seed)
    folder = tmp_path / "inputs"
    folder.mkdir()
    found = outcome_of(
        folder, tmp_path, f"a.{form}", damaged(as_bytes(form, table, chance), chance), **options
    )
    if isinstance(found, str):
        assert "corpus x" in found
    else:
        assert found["text"].str.strip().str.len().min() > 0
    shutil.rmtree(tmp_path)


# Files by hand --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_of_files_columns_and_rows_are_only_names(folder, tmp_path, name):
    row = json.dumps({name: "a text of five words", "id": name}).encode()
    spec = {"text": name, "source_object": "id"}
    found = outcome_of(folder, tmp_path, "rows.jsonl", row + b"\n", **spec)
    assert found["text"].tolist() == ["a text of five words"]
    assert found["source_object"].tolist() == [name]
    if "/" not in name and len(name) < 200:
        (folder / "rows.jsonl").unlink()
        found = outcome_of(folder, tmp_path, f"{name}.jsonl", row + b"\n", **spec)
        assert found["doc_id"].tolist() == [f"{name}.jsonl#0"]


def bomb(path, start, end, blocks):
    """A file that unpacks to zeros, in blocks of 64 MB, between a start and an end."""
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(start)
        for _ in range(blocks):
            stream.write(b"0" * (1 << 26))
        stream.write(end)


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("zeros.jsonl.gz", b"", b""),
        ("text.jsonl.gz", b'{"text": "', b'"}\n'),
        ("zeros.csv.gz", b"text\n", b"\n"),
        ("quoted.csv.gz", b'text\n"', b'"\n'),
    ],
)
def test_a_bomb_is_refused_in_little_memory(folder, tmp_path, name, start, end):
    bomb(folder / name, start, end, 160 if IS_LONG else 4)
    found = built_or_refused(folder, tmp_path, {"source": "files", "paths": [name]}, {Path(name)})
    assert re.search(rf"{name} line \d needs more than 128 MB of memory; write one row per line", found)


@pytest.mark.skipif(not IS_LONG, reason="needs a minute; PLUMBLINE_INPUTS=1000 runs it")
def test_a_line_with_four_bytes_a_character_is_refused_earlier(folder, tmp_path):
    with gzip.open(folder / "a.jsonl.gz", "wb", compresslevel=1) as stream:
        stream.write(b'{"text": "')
        for _ in range(120):
            stream.write("😀".encode() * (1 << 20))
        stream.write(b'"}')
    spec = {"source": "files", "paths": ["a.jsonl.gz"]}
    assert "line 1 needs more than 128 MB" in built_or_refused(folder, tmp_path, spec, {Path("a.jsonl.gz")})


def test_a_text_file_of_gigabytes_is_refused(folder, tmp_path):
    with (folder / "a.txt").open("wb") as stream:
        stream.truncate(3 << 30)
    found = built_or_refused(folder, tmp_path, {"source": "files", "paths": ["a.txt"]}, {Path("a.txt")})
    assert "a.txt needs more than 128 MB of memory; cut it into several files" in found


def test_a_line_of_a_hundred_megabytes_is_a_document(folder, tmp_path):
    megabytes = 100 if IS_LONG else 10
    line = json.dumps({"text": "ein Wort, öfter gesagt " * (megabytes << 20 >> 5)}).encode() + b"\n"
    found = outcome_of(folder, tmp_path, "long.jsonl", line)
    assert len(found) == 1


def test_a_column_of_long_values_is_read_in_little_memory(folder, tmp_path):
    rows = 3000 if IS_LONG else 300
    text = ["a b c d " * (1 << 17)] * rows  # a megabyte each, all equal: Parquet stores one
    pd.DataFrame({"text": text}).to_parquet(folder / "long.parquet")
    spec = {"source": "files", "paths": ["long.parquet"], "characters": 1000}
    found = built_or_refused(folder, tmp_path, spec, {Path("long.parquet")})
    assert len(found) == 1  # without the duplicates


def test_very_many_tiny_documents(folder, tmp_path):
    count = 500_000 if IS_LONG else 20_000
    lines = "".join(f'{{"text":"w{number}"}}\n' for number in range(count))
    assert len(outcome_of(folder, tmp_path, "tiny.jsonl", lines.encode())) == count


def test_text_from_right_to_left_and_beyond_the_plane_stays_as_it_is(folder, tmp_path):
    text = "\u202eשלום עולם مرحبا 👩‍👩‍👧 \U0001f9ff e\u0301 \ufeff"
    found = outcome_of(folder, tmp_path, "a.jsonl", json.dumps({"text": text}).encode())
    assert found["text"].tolist() == [text]

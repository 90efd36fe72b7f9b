"""Every byte of a file counts, and a file counts only in its own place."""

import json
import shutil

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.storage.folders import CHECKSUMS, check_folder, seal_folder
from workflow_scripts.storage.seals import DamagedFile, check_stamp, place_of
from workflow_scripts.storage.tables import read_frame, read_json, write_json, write_table

pytestmark = pytest.mark.faults

FRAME = pd.DataFrame({"name": ["a", "plumbline.sha256"], "value": [1.5, None]})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A table and a JSON file of the same run, with their readers."""
    folder = tmp_path_factory.mktemp("run") / "alignment"
    write_table(FRAME, folder / "one.parquet")
    write_json({"seconds": 1.5, "quoted": '"plumbline.sha256": "' + "0" * 64}, folder / "one.json")
    return {folder / "one.parquet": read_frame, folder / "one.json": read_json}


@given(data=st.data())
def test_no_byte_may_change(files, data):
    for path, read in files.items():
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        damaged = path.with_name(f"damaged{path.suffix}")
        damaged.write_bytes(content)
        with pytest.raises(DamagedFile, match=f"{damaged} (is damaged|has no checksum)"):
            read(damaged)


@given(data=st.data())
def test_no_byte_may_be_missing_or_added(files, data):
    for path, read in files.items():
        content = path.read_bytes()
        kept = data.draw(st.integers(0, len(content) - 1))
        damaged = path.with_name(f"cut{path.suffix}")
        for changed in (content[:kept], content + data.draw(st.binary(min_size=1, max_size=9))):
            damaged.write_bytes(changed)
            with pytest.raises(DamagedFile, match=rf"{damaged} .*: delete it and run the same command again"):
                read(damaged)


def test_of_a_folder_that_one_job_made_the_whole_folder_is_to_be_deleted(tmp_path):
    folder = tmp_path / "embeddings/seed-0/corrected/sets-1"
    write_table(FRAME, folder / "a.train.parquet")
    (folder / ".snakemake_timestamp").touch()
    with pytest.raises(
        DamagedFile, match=rf"b\.train\.parquet is missing: delete the folder {folder} and run"
    ):
        read_frame(folder / "b.train.parquet")
    (folder / "a.train.parquet").write_bytes(b"")
    with pytest.raises(DamagedFile, match=rf"a\.train\.parquet is empty: delete {folder} and run"):
        read_frame(folder / "a.train.parquet")


def test_what_is_whole_is_read(files):
    for path in files:
        check_stamp(path)
    table, value = (read(path) for path, read in files.items())
    pd.testing.assert_frame_equal(table, FRAME)
    assert set(value) == {"seconds", "quoted"}


def test_another_file_of_the_run_is_refused(tmp_path):
    write_table(FRAME, tmp_path / "tokens/a/train.packed.parquet")
    write_json([1, 2], tmp_path / "times/a.json")
    for written, read in (("tokens/a/train.packed.parquet", read_frame), ("times/a.json", read_json)):
        foreign = tmp_path / written.replace("a", "b", 1)
        foreign.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / written, foreign)
        with pytest.raises(DamagedFile, match=f"{foreign} was written as {written}"):
            read(foreign)


def test_a_run_may_be_moved_and_a_table_taken_out_of_it(tmp_path):
    write_table(FRAME, tmp_path / "one/tokens/a.parquet")
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    shutil.copy(tmp_path / "one/tokens/a.parquet", tmp_path / "mine.parquet")
    assert len(read_frame(tmp_path / "other/tokens/a.parquet")) == 2
    assert len(read_frame(tmp_path / "mine.parquet")) == 2


def test_what_comes_from_outside_a_run_is_refused_in_it(tmp_path):
    write_table(FRAME, tmp_path / "mine.parquet")
    (tmp_path / "tokens").mkdir()
    shutil.copy(tmp_path / "mine.parquet", tmp_path / "tokens/mine.parquet")
    with pytest.raises(DamagedFile, match="was written as a file outside any run"):
        read_frame(tmp_path / "tokens/mine.parquet")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DamagedFile, match=r"gone\.parquet is missing: run the same command again"):
        read_frame(tmp_path / "gone.parquet")


def test_the_place_does_not_depend_on_where_the_run_lies():
    assert place_of("/x/tokens/results/quick/corpora/tokens/documents.parquet") == "tokens/documents.parquet"
    assert place_of("/somewhere/else/table.parquet") is None


def test_values_come_back_as_they_were(tmp_path):
    for value in ({"a": 1, "values": [1]}, [1, {"a": None}], []):
        write_json(value, tmp_path / "value.json")
        assert read_json(tmp_path / "value.json") == value
    assert json.loads((tmp_path / "value.json").read_text())["values"] == []


def test_a_folder_is_refused_by_the_name_of_the_file_that_differs(tmp_path):
    folder = tmp_path / "tokens/tokenizer"
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text("{}")
    check_folder(folder)  # not listed yet
    seal_folder(folder)
    check_folder(folder)
    (folder / "tokenizer.json").write_text("{ }")
    with pytest.raises(DamagedFile, match=r"tokenizer\.json is damaged .* delete the folder"):
        check_folder(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(DamagedFile, match=r"tokenizer\.json is missing"):
        check_folder(folder)
    (folder / CHECKSUMS).write_text("")
    with pytest.raises(DamagedFile, match=f"{CHECKSUMS} is empty"):
        check_folder(folder)


def test_a_temporary_file_of_a_killed_job_is_not_listed(tmp_path):
    """The next run deletes it, and the folder would then be called damaged."""
    (tmp_path / "weights").write_bytes(b"weights")
    (tmp_path / ".checksums.json.abc.part").touch()
    seal_folder(tmp_path)
    (tmp_path / ".checksums.json.abc.part").unlink()
    check_folder(tmp_path)

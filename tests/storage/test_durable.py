"""What a power cut leaves: whole files or none, because content reaches the disk before its name."""

import errno
import os
import random

import pandas as pd
import pytest

from benchmarks.power_cut import lose_unflushed, note_flushed, unflushed
from workflow_scripts.storage.content_store import ContentStore
from workflow_scripts.storage.durable import flush_to_disk
from workflow_scripts.storage.folders import check_folder, seal_folder
from workflow_scripts.storage.tables import read_frame, write_json, write_plain_json, write_table

pytestmark = pytest.mark.faults


@pytest.fixture
def flushed(tmp_path, monkeypatch):
    """The list of flushed files; a folder of results is beside it."""
    monkeypatch.setattr(os, "fsync", os.fsync)  # put back after the test
    listed = tmp_path / "flushed.txt"
    note_flushed(listed)
    (tmp_path / "results").mkdir()
    return listed


def test_whatever_is_written_survives_every_power_cut(tmp_path, flushed):
    folder = tmp_path / "results"
    write_table(pd.DataFrame({"value": range(1000)}), folder / "table.parquet")
    write_json({"a": 1}, folder / "value.json")
    write_plain_json({"a": 1}, folder / "plain.json")
    ContentStore(folder / "store").put("ab" * 32, {"x": pd.Series([1.0]).to_numpy()})
    (folder / "model/part").mkdir(parents=True)
    (folder / "model/weights").write_bytes(b"weights")
    (folder / "model/part/more").write_bytes(b"more")
    seal_folder(folder / "model")
    for seed in range(20):
        assert lose_unflushed(folder, flushed, random.Random(seed)) == []
    check_folder(folder / "model")
    assert len(read_frame(folder / "table.parquet")) == 1000


def test_a_file_that_nobody_flushed_is_lost_in_every_way(tmp_path, flushed):
    folder, fates = tmp_path / "results", set()
    for seed in range(40):
        (folder / "a").write_bytes(b"content")
        assert unflushed(folder / "a", flushed)
        fates |= {line.split()[-1] for line in lose_unflushed(folder, flushed, random.Random(seed))}
    assert fates == {"removed", "emptied", "zeroed"}


def test_a_name_is_lost_if_its_folder_was_not_flushed_after_it(tmp_path, flushed):
    folder = tmp_path / "results"
    flush_to_disk(folder)
    (folder / "a").write_bytes(b"content")
    flush_to_disk(folder / "a")
    (line,) = lose_unflushed(folder, flushed, random.Random(1))
    assert line.endswith("a removed")


@pytest.mark.parametrize(("number", "is_error"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_flushed_is_no_error_and_a_broken_disk_is(
    tmp_path, monkeypatch, number, is_error
):
    def refuse(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    if is_error:
        with pytest.raises(OSError, match="Input/output error"):
            flush_to_disk(tmp_path)
    else:
        flush_to_disk(tmp_path)

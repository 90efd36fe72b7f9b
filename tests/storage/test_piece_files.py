"""Pieces in few files: kept, merged, and computed again after damage or a lost race; never wrong."""

import logging

import numpy as np

from workflow_scripts.storage import piece_files
from workflow_scripts.storage.content_store import ContentStore, content_key
from workflow_scripts.storage.piece_files import PieceFiles

FILE = content_key(source=1)


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_pieces_of_a_file_come_back_with_their_seconds(tmp_path):
    pieces = PieceFiles(ContentStore(tmp_path))
    for name in ("one", "other"):
        pieces.put(FILE, name, np.full((2, 3), len(name)), 0.5)
    assert not files_in(tmp_path)
    pieces.save()
    assert len(files_in(tmp_path)) == 1
    values, seconds = PieceFiles(ContentStore(tmp_path)).get(FILE, "other")
    assert (values == 5).all() and values.shape == (2, 3) and seconds == 0.5
    assert PieceFiles(ContentStore(tmp_path)).get(FILE, "third") is None


def test_two_jobs_that_add_to_a_file_keep_the_pieces_of_both(tmp_path):
    one, other = PieceFiles(ContentStore(tmp_path)), PieceFiles(ContentStore(tmp_path))
    assert one.get(FILE, "b") is None and other.get(FILE, "a") is None  # both have read the empty file
    one.put(FILE, "a", np.ones(1), 1.0)
    other.put(FILE, "b", np.zeros(1), 1.0)
    one.save()
    other.save()
    known = PieceFiles(ContentStore(tmp_path))
    assert known.get(FILE, "a")[0] == 1 and known.get(FILE, "b")[0] == 0


def test_a_damaged_file_is_named_and_its_pieces_are_gone_and_can_be_stored_again(tmp_path, caplog):
    pieces = PieceFiles(ContentStore(tmp_path))
    pieces.put(FILE, "a", np.arange(8.0), 1.0)
    pieces.save()
    (path,) = files_in(tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    again = PieceFiles(ContentStore(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert again.get(FILE, "a") is None
    assert str(path) in caplog.text
    again.put(FILE, "a", np.arange(8.0), 1.0)
    again.save()
    assert PieceFiles(ContentStore(tmp_path)).get(FILE, "a") is not None


def test_a_long_job_saves_on_its_way(tmp_path, monkeypatch):
    monkeypatch.setattr(piece_files, "SAVE_AFTER", 5.0)
    pieces = PieceFiles(ContentStore(tmp_path))
    for number in range(4):
        pieces.put(FILE, str(number), np.ones(1), 2.0)
    known = PieceFiles(ContentStore(tmp_path))
    assert known.get(FILE, "2") is not None and known.get(FILE, "3") is None


def test_a_name_of_a_piece_is_not_the_name_of_its_seconds(tmp_path):
    pieces = PieceFiles(ContentStore(tmp_path))
    pieces.put(FILE, "a", np.ones(1), 3.0)
    assert pieces.get(FILE, "a.seconds") is None

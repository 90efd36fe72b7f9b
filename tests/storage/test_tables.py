import pandas as pd
import pytest

from workflow_scripts.storage.tables import read_frame, replaced_whole, write_plain_json, write_table


def test_equal_tables_are_equal_bytes(tmp_path):
    frame = pd.DataFrame({"name": ["a", "b"], "value": [1.5, None]})
    write_table(frame, tmp_path / "one.parquet")
    write_table(frame.copy(), tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert b"pandas" not in (tmp_path / "one.parquet").read_bytes()


def test_columns_of_folders_are_not_guessed(tmp_path):
    path = tmp_path / "seed=3" / "table.parquet"
    write_table(pd.DataFrame({"value": [1]}), path)
    assert list(read_frame(path).columns) == ["value"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "value.json"
    write_plain_json({"b": 1, "a": 2}, path)
    with pytest.raises(RuntimeError), replaced_whole(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'
    assert list(tmp_path.iterdir()) == [path]

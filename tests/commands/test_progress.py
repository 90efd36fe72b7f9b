import io
import time

import pytest

from workflow_scripts.commands import progress
from workflow_scripts.commands.progress import ProgressLine, time_left

LINE = "2026-01-02 03:04:05,678 INFO pool: 300 of 9000 MB read, 25.0 MB/s, about 6 min left\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "logs"


def write(logs, name, text):
    path = logs / "select_rows" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_time_left_is_that_of_the_log_that_was_written_last(logs):
    assert time_left(logs) == ""
    write(logs, "select.log", "2026-01-02 03:04:05,678 INFO reading\n" + LINE)
    assert time_left(logs) == "pool: 300 of 9000 MB read, 25.0 MB/s, about 6 min left"
    later = write(logs, "other.log", "2026-01-02 03:04:06,678 INFO done\n")
    later.touch()
    assert time_left(logs) == ""


def test_a_terminal_has_one_line_with_steps_and_time_left(logs, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.01)
    with ProgressLine(logs) as shown:
        shown.read("  time       about 7 min on 2 cores (select_rows 7 min)\n")
        shown.read("2 of 5 steps (40%) done\n")
        write(logs, "select.log", LINE)
        until = time.monotonic() + 10
        while "6 min left" not in terminal.getvalue() and time.monotonic() < until:
            time.sleep(0.01)
    said = terminal.getvalue()
    assert said.startswith("this takes about 7 min on 2 cores (select_rows 7 min)\n")
    assert "\r\033[K2 of 5 steps (40%); pool: 300 of 9000 MB read, 25.0 MB/s, about 6 min left" in said
    assert said.endswith("\r\033[K") and said.count("\n") == 1


def test_a_file_gets_the_forecast_and_no_progress(logs, monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr("sys.stderr", file)
    write(logs, "select.log", LINE)
    with ProgressLine(logs) as shown:
        shown.read("  time       about 7 min on 2 cores\n")
        shown.read("2 of 5 steps (40%) done\n")
    assert file.getvalue() == "this takes about 7 min on 2 cores\n"

"""Progress of a run on a terminal: one line, overwritten, with the steps done and the time left of a long reading."""

import re
import sys
import threading
from pathlib import Path

EVERY_SECONDS = 2.0
_LAST_BYTES = 4096


class ProgressLine:
    """Shows the steps that Snakemake reports, and what its jobs log of the time left, until the block ends."""

    def __init__(self, logs: Path):
        """`logs` is the folder of the jobs' logs, which may not exist yet."""
        self._logs, self._steps, self._shown = logs, "", ""
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._is_terminal = sys.stderr.isatty()

    def __enter__(self) -> "ProgressLine":
        if self._is_terminal:
            self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_terminal:
            self._ended.set()
            self._watching.join()
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def read(self, line: str) -> None:
        """A line that Snakemake printed: its forecast is printed anywhere, its steps only on a terminal."""
        forecast = re.match(r"  time +(.+)", line)
        if forecast:
            print(f"this takes {forecast[1].strip()}", file=sys.stderr, flush=True)
        steps = re.match(r"(\d+) of (\d+) steps \((\d+%)\) done", line)
        if steps:
            self._steps = f"{steps[1]} of {steps[2]} steps ({steps[3]})"
            self._show(self._steps)

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            left = time_left(self._logs)
            self._show(f"{self._steps}; {left}" if left else self._steps)

    def _show(self, text: str) -> None:
        if self._is_terminal and text != self._shown:
            self._shown = text
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def time_left(logs: Path) -> str:
    """The last line of the log that was written last, where it says how much time is left."""
    files = [path for path in logs.rglob("*.log") if path.is_file()]
    if not files:
        return ""
    newest = max(files, key=lambda path: path.stat().st_mtime)
    with newest.open("rb") as file:
        file.seek(max(0, newest.stat().st_size - _LAST_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    found = re.search(r" INFO (.+ left)$", lines[-1].rstrip()) if lines else None
    return found[1] if found else ""

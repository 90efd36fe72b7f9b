"""What every program does alike."""

import errno
import os
import platform
import subprocess
import sys

import pytest

from workflow_scripts.command_line import run

_PROGRAM = """
import resource
from workflow_scripts.command_line import run

def main(arguments):
    for _ in range(5):
        b"x" * 2**26  # every page is written, and freed at once
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

{call}
"""


def _page_faults(call: str) -> int:
    program = _PROGRAM.format(call=call)
    return int(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator has the setting")
def test_memory_freed_by_a_program_is_used_again() -> None:
    pages = 5 * 2**26 // 4096
    assert _page_faults("main(None)") - _page_faults("run(main)") > pages / 2


def test_no_program_loads_numpy_before_it_has_set_the_number_of_threads(root) -> None:
    """NumPy's libraries read the number of threads once, when they are loaded."""
    programs = [
        path.stem
        for path in (root / "workflow_scripts").glob("*.py")
        if "set_threads(" in path.read_text() and path.stem != "command_line"
    ]
    assert len(programs) > 10
    loads = "; ".join(
        f"import workflow_scripts.{name}; print('{name}', 'numpy' in sys.modules)" for name in programs
    )
    printed = subprocess.run(
        [sys.executable, "-c", f"import sys; {loads}"], check=True, capture_output=True, text=True, cwd=root
    ).stdout
    assert printed.splitlines() == [f"{name} False" for name in programs]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (
            errno.ENOSPC,
            "error: x.parquet: No space left on device; free space on the disk, and run the same",
        ),
        (errno.EROFS, "error: x.parquet: Read-only file system; write elsewhere"),
        (errno.EACCES, "error: x.parquet: Permission denied; get permission to read and write there"),
    ],
)
def test_what_the_machine_refuses_is_reported_in_one_sentence(number, message, capsys) -> None:
    def main(arguments):
        raise OSError(number, os.strerror(number), "x.parquet")

    with pytest.raises(SystemExit):
        run(main)
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize(
    "problem",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
    ids=repr,
)
def test_a_lack_of_memory_is_reported_in_one_sentence(problem, capsys, monkeypatch) -> None:
    def main(arguments):
        raise problem

    monkeypatch.setattr(sys, "argv", ["workflow_scripts/build_corpus.py"])
    with pytest.raises(SystemExit):
        run(main)
    message = capsys.readouterr().err
    assert message.startswith("error: memory ran out in build_corpus; run fewer jobs at once")
    assert message.count("\n") == 1


def test_another_error_of_a_library_keeps_its_traceback() -> None:
    def main(arguments):
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError):
        run(main)


def test_another_error_of_the_system_is_a_defect_and_keeps_its_traceback() -> None:
    def main(arguments):
        raise FileNotFoundError(errno.ENOENT, "no such file", "x.parquet")

    with pytest.raises(FileNotFoundError):
        run(main)

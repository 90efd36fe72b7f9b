"""Snakemake's records of finished jobs reach the disk."""

import subprocess
import sys

import pytest

from benchmarks.power_cut import unflushed

pytestmark = pytest.mark.faults
SNAKEFILE = """
import sys
sys.path.insert(0, {root!r})
from benchmarks.power_cut import note_flushed
from workflow_scripts.plan.durable_records import flush_records

note_flushed("flushed.txt")
if {flushes}:
    flush_records()
    flush_records()  # the Snakefile of a module, too

rule all:
    output: "a"
    shell: "touch a"
"""


@pytest.mark.parametrize("flushes", [True, False])
def test_each_record_is_flushed(root, tmp_path, flushes):
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(root=str(root), flushes=flushes))
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (record,) = (tmp_path / ".snakemake/metadata").iterdir()
    assert unflushed(record, tmp_path / "flushed.txt") == (not flushes)
    lines = (tmp_path / "flushed.txt").read_text().splitlines()
    assert len(lines) == (
        4 if flushes else 0
    )  # the mark of the unfinished job, the record, and their folders

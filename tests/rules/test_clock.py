"""Clocks that jump, and files with dates of another machine: nothing stale, and nothing made again without a reason."""

import os
import time

import pytest

pytestmark = [pytest.mark.whole_run, pytest.mark.faults]
YEAR = 365 * 86_400 * 10**9
TARGET = "results/quick/corpora/mine/documents.parquet"


@pytest.fixture
def dates(finished):
    """Function that changes the dates of all files of the finished run; they are put back afterwards."""
    files = list((finished.folder / "results").rglob("*"))
    before = {path: path.stat().st_mtime_ns for path in files}

    def change(new):
        for path, date in before.items():
            os.utime(path, ns=(new(date), new(date)))

    yield change
    change(lambda date: date)


@pytest.mark.parametrize("years", [-1, 1])
def test_a_run_made_while_the_clock_was_wrong_is_finished(finished, dates, years):
    dates(lambda date: date + years * YEAR)
    assert finished.planned() == {}


def test_a_clock_that_was_set_back_in_between_repeats_only_comparisons_of_folders(finished, dates):
    """Each file is then older than its inputs. Snakemake compares contents of small files, but not of folders."""
    latest = time.time_ns()
    dates(lambda date: 2 * latest - date)
    assert not {"build_corpus", "train_probe", "train_models", "embed_batches"} & finished.planned().keys()


def corpus(checkout):
    spec = {"source": "files", "paths": [str(checkout.folder / "mine/*.jsonl")], "held_out": 0.5}
    return {"corpora": {"mine": spec}}


def rows(count, word):
    return "".join(f'{{"text": "{word} number {number}"}}\n' for number in range(count))


def test_files_with_any_date_are_read_when_they_change_and_only_then(checkout):
    source = checkout.folder / "mine/rows.jsonl"
    source.parent.mkdir()
    source.write_text(rows(20, "first"))
    os.utime(source, ns=(time.time_ns() - 9 * YEAR,) * 2)
    config = corpus(checkout)

    def plan():
        done = checkout.snakemake(TARGET, "--dry-run", config=config)
        return "build_corpus" in done.stdout + done.stderr

    assert checkout.snakemake(TARGET, config=config).returncode == 0
    assert not plan()
    # As if restored from a backup, so older than what was made from it.
    source.write_text(rows(30, "another"))
    os.utime(source, ns=(time.time_ns() - 8 * YEAR,) * 2)
    assert plan()

"""Jobs get by with the memory that their rules request."""

import pytest

from benchmarks.job_memory import above_request, peaks

pytestmark = [pytest.mark.whole_run, pytest.mark.faults]


def test_no_job_of_the_quick_run_has_more_memory_than_it_requests(finished):
    found = peaks(finished.folder / "results/quick")
    assert len(found) > 20
    assert above_request(found) == []


def test_a_job_with_more_is_named(tmp_path):
    for name, peak in (
        ("build_corpus/a", "5000.5"),
        ("tokenize_corpus/a", "30"),
        ("mix_rows/a", "-"),
        ("x", "1"),
    ):
        path = tmp_path / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\tmax_rss\n1.0\t{peak}\n")
    found = peaks(tmp_path)
    assert found == {"build_corpus": [5000.5], "tokenize_corpus": [30.0]}
    assert above_request(found) == ["build_corpus"]

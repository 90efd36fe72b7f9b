"""A run whose metric needs an optional package that is not there."""

import importlib.util

import pytest


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is not None, reason="the optional package is installed"
)
def test_a_run_without_an_optional_package_stops_before_its_first_job(checkout):
    metrics = {"alignment": {"metrics": ["unigram_js", "sentence_embedding"]}}
    refused = checkout.snakemake("alignment", config=metrics)
    assert refused.returncode == 1
    assert "sentence_embedding needs sentence_transformers" in refused.stdout + refused.stderr
    assert not (checkout.folder / "results" / "quick" / "corpora").exists()
    planned = checkout.snakemake("alignment", "-n", "-q", "rules", config=metrics)
    assert planned.returncode == 0

"""The quick run from corpora to report, and what a failure leaves."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from workflow_scripts.storage.tables import read_frame

pytestmark = pytest.mark.whole_run


@pytest.fixture(scope="module")
def results(finished):
    return finished.folder / "results" / "quick"


def test_it_says_what_it_will_cost_and_where_the_page_is(finished):
    output = finished.first_output
    assert output.index("run quick") < output.index("Select jobs to execute")
    for word in ("jobs ", "time ", "disk ", "downloads  none"):
        assert word in output
    assert "report: results/quick/report/index.html" in output


def test_it_needs_no_network(finished, without_network):
    """The run is finished, and its programs had only the loopback device, which was down."""
    if not without_network:
        pytest.skip("this machine lets nobody run a command without its network (unshare)")
    programs = [json.loads(path.read_text()) for path in finished.imported.glob("*.json")]
    assert programs and {tuple(program["devices"]) for program in programs} == {("lo",)}
    reached = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"
    tried = subprocess.run(
        [*without_network, sys.executable, "-c", reached], capture_output=True, text=True, check=False
    )
    assert "Network is unreachable" in tried.stderr


def test_every_experiment_has_losses_and_every_metric_every_pair(results, quick):
    losses = read_frame(results / "losses" / "loss_summary.parquet")
    assert set(losses["experiment"]) == {"pretraining", "finetuning", "intervention"}
    assert losses["loss"].between(1, 10).all()
    table = read_frame(results / "alignment" / "alignment.parquet")
    assert set(table["metric"]) == set(quick["alignment"]["metrics"])
    for part in ("whole", "answer"):
        of_part = table[table["part"] == part]
        assert len(of_part) == len(quick["alignment"]["metrics"]) * of_part["source"].nunique() ** 2 > 0
    assert (table["ci_low"] <= table["alignment"]).all()
    assert (table["alignment"] <= table["ci_high"]).all()


def test_every_loss_of_a_trained_model_has_that_of_an_ngram_model_of_the_same_tokens(results):
    keys = ["experiment", "train_set", "eval_set", "part", "tokens"]
    losses = read_frame(results / "losses" / "loss_summary.parquet")
    trained = losses[losses["train_set"] != "none"].groupby(keys)["n_tokens"].first()
    ngrams = read_frame(results / "losses" / "ngram_summary.parquet").set_index(keys)
    assert set(ngrams.index) == set(trained.index)
    assert (ngrams["n_tokens"] == trained.reindex(ngrams.index)).all()
    assert (ngrams["tokens_read"] == ngrams.index.get_level_values("tokens")).all()
    assert ngrams["loss"].between(1, 10).all()
    assert {"whole", "answer"} == set(ngrams.index.get_level_values("part"))
    assert set(ngrams.loc[["finetuning"], "from_scratch"]) == {False}
    assert (results / "report" / "figures" / "models_and_ngrams_pretraining.svg").is_file()


def test_the_page_is_one_file(results):
    page = (results / "report" / "index.html").read_text()
    assert "<html" in page
    assert len(page) < 5_000_000
    assert list((results / "report" / "figures").glob("*.svg"))


def test_nothing_is_removed_from_both_sides_silently(results):
    for path in results.glob("corpora/*/manifest.json"):
        manifest = json.loads(path.read_text())
        assert manifest["documents"]["train"] + manifest["documents"]["eval"] > 0
        assert {"duplicates_removed", "near_duplicates_removed", "content_hash"} <= manifest.keys()


def in_another_world(checkout, *arguments, **options):
    """Run Snakemake on one core, with another locale, time zone, hash seed and umask."""
    before = os.umask(0o077)
    checkout.environment = {"LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "12345"}
    try:
        done = checkout.snakemake("--cores", "1", *arguments, **options)
    finally:
        os.umask(before)
        checkout.environment = {}
    assert done.returncode == 0, done.stderr[-3000:]


def test_tables_are_the_same_bytes_on_one_core_in_another_world(finished, tmp_path):
    """Stages that compute little are run again elsewhere; the test below runs all."""
    targets = [
        "tokens/sympy_pairs/train.documents.parquet",
        "tokens/science_50/train.packed.parquet",
        "tokens/random_tokens/train.packed.parquet",
        "analysis/published.parquet",
    ]
    config = {"pathvars": {"results": str(tmp_path)}}
    in_another_world(finished, *[f"{tmp_path}/{name}" for name in targets], config=config)
    for name in targets:
        assert (tmp_path / name).read_bytes() == (finished.folder / "results" / "quick" / name).read_bytes()


@pytest.mark.faults
@pytest.mark.skipif("PLUMBLINE_KILLS" not in os.environ, reason="it runs everything again: make test-faults")
def test_a_whole_run_has_the_same_bytes_in_another_folder_and_world(finished, results, make_copy):
    """All tables and models; tables of seconds, logs and the record of the machine differ."""
    other = make_copy("plain")
    in_another_world(other, "report")
    again = other.folder / "results" / "quick"
    kinds = ("*.parquet", "*.json", "*.safetensors")
    files = [path.relative_to(results) for kind in kinds for path in sorted(results.rglob(kind))]
    others = ("times", "store", "logs", "report")
    compared = [path for path in files if path.parts[0] not in others and "cost" not in path.name]
    assert {path.parts[0] for path in compared} >= {
        "corpora",
        "tokens",
        "probe",
        "training",
        "losses",
        "analysis",
    }
    differing = [path for path in compared if (again / path).read_bytes() != (results / path).read_bytes()]
    assert differing == []


def test_snakemake_writes_its_own_report(finished, tmp_path):
    written = finished.snakemake("report", "--report", str(tmp_path / "report.html"))
    assert written.returncode == 0, written.stderr[-3000:]
    assert (tmp_path / "report.html").stat().st_size > 100_000


def test_a_mistake_is_one_line_before_any_job(finished):
    found = finished.snakemake("report", config={"alignment": {"batches": 2}})
    assert found.returncode != 0
    output = found.stdout + found.stderr
    assert "config: alignment.batches = 2: must be at least 4" in output
    assert "Select jobs" not in output


def test_a_failed_training_job_still_yields_a_page_that_says_what_is_missing(finished, quick, tmp_path):
    copy = type(finished)(tmp_path / "failing")
    shutil.copytree(finished.folder, copy.folder)
    experiments = json.loads(json.dumps(quick["experiments"]))
    experiments[0]["train_sets"].append("too_small")
    config = {
        "experiments": experiments,
        # Enough text for the batches of the alignment, too little for the budget of training.
        "corpora": {
            "too_small": {
                "source": "environment",
                "kind": "code",
                "packages": ["threadpoolctl"],
                "held_out": 0,
            }
        },
    }
    failed = copy.snakemake("report", "--keep-going", config=config)
    assert failed.returncode != 0
    page = (copy.folder / "results" / "quick" / "report" / "index.html").read_text()
    assert "too_small" in page
    missing = json.loads((copy.folder / "results" / "quick" / "losses" / "missing.json").read_text())
    assert "too_small" in json.dumps(missing)


def test_the_linter_is_content(root):
    linted = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"], cwd=root, capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr

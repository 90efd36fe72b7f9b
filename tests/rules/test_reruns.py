"""What runs again after a change, read from the dry run's own list of jobs."""

import copy
import shutil
from contextlib import contextmanager

import pytest

pytestmark = pytest.mark.whole_run


@contextmanager
def edited(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(text)


def with_experiment(quick, name, **changes):
    experiments = copy.deepcopy(quick["experiments"])
    next(one for one in experiments if one["name"] == name).update(changes)
    return {"experiments": experiments}


def test_nothing_changed(finished):
    assert finished.planned() == {}
    again = finished.snakemake("report")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_an_evaluation_corpus_added(finished, quick):
    (experiment,) = [one for one in quick["experiments"] if one["name"] == "pretraining"]
    overlay = with_experiment(quick, "pretraining", eval_sets=[*experiment["eval_sets"], "type_stubs"])
    overlay["corpora"] = {"type_stubs": {"disjoint_from": []}}
    assert finished.beside_aggregates(overlay) == {
        "build_corpus": 1,
        "tokenize_corpus": 1,
        "embed_batches": 2,  # sets change places between jobs; only the new one is not in the store
        "evaluate_models": 1,
        "score_ngrams": 3,
    }


def test_a_training_corpus_added(finished, quick):
    (experiment,) = [one for one in quick["experiments"] if one["name"] == "finetuning"]
    overlay = with_experiment(quick, "finetuning", train_sets=[*experiment["train_sets"], "sympy_prose"])
    jobs = finished.beside_aggregates(overlay)
    # Its evaluation is a job per evaluation set, which finds the losses of the other models in the store.
    assert jobs == {
        "build_corpus": 1,
        "tokenize_corpus": 1,
        "embed_batches": 1,
        "train_models": 1,
        "evaluate_models": 1,
        "score_ngrams": 1,
    }


def test_an_evaluation_corpus_removed(finished, quick):
    overlay = with_experiment(quick, "pretraining", eval_sets=["scientific_docstrings", "cpp_headers"])
    jobs = finished.planned(overlay)
    assert jobs.keys() >= {"compare_sets", "collect_losses", "render_report"}
    # One of seconds for each training set, and embeddings that are all in the store.
    assert finished.beside_aggregates(overlay) == {"score_ngrams": 3, "embed_batches": 2}


def test_a_seed_added(finished):
    jobs = finished.beside_aggregates({"recipes": {"from_scratch": {"seeds": [0, 1]}}})
    assert jobs == {"train_models": 3, "evaluate_models": 3}


def test_more_batches(finished):
    jobs = finished.beside_aggregates({"alignment": {"batches": 5}})
    assert set(jobs) == {"embed_batches"}


def test_code_of_the_fisher_package_edited(finished):
    path = finished.folder / "workflow_scripts" / "fisher" / "estimator.py"
    with edited(path, "    label_draws: int = 1", "    label_draws: int = 2"):
        jobs = finished.planned()
    assert jobs.pop("embed_batches") == 2  # 9 sets, five in a job
    assert jobs["compare_sets"] >= 1
    assert not jobs.keys() & {
        "train_models",
        "train_probe",
        "evaluate_models",
        "tokenize_corpus",
        "build_corpus",
    }


def test_a_comment_edited(finished):
    path = finished.folder / "workflow_scripts" / "fisher" / "estimator.py"
    with edited(path, "\n", "\n# A comment.\n"):
        assert finished.planned() == {}


def test_one_metric_edited(finished):
    path = finished.folder / "workflow_scripts" / "metrics" / "unigram_js.py"
    with edited(path, "np.log(2)", "np.log(4)"):
        jobs = finished.planned()
    assert jobs["compare_sets"] == 1
    assert not jobs.keys() & {"embed_batches", "train_models"}


def test_a_corpus_source_edited(finished):
    sources = finished.folder / "workflow_scripts" / "corpora" / "sources"
    with edited(sources / "environment.py", "def read(", "UNUSED = 1\n\n\ndef read("):
        assert finished.planned()["build_corpus"] == 6
    with edited(sources / "files.py", "def read(", "UNUSED = 1\n\n\ndef read("):
        assert finished.planned() == {}  # no corpus of the run is read from files


def test_a_pinned_package_changed(finished, tmp_path):
    """The figures alone are drawn with altair."""
    metadata = tmp_path / "altair-99.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: altair\nVersion: 99\n")
    finished.environment["PYTHONPATH"] = str(tmp_path)
    try:
        assert finished.planned() == {"render_report": 1}
    finally:
        del finished.environment["PYTHONPATH"]


def test_a_package_that_a_corpus_is_made_of_changed(finished, tmp_path):
    metadata = tmp_path / "sympy-99.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: sympy\nVersion: 99\n")
    finished.environment["PYTHONPATH"] = str(tmp_path)
    try:
        jobs = finished.planned()
    finally:
        del finished.environment["PYTHONPATH"]
    assert jobs["build_corpus"] == 1
    assert jobs["embed_batches"] == 1  # both sides of sympy_pairs


def test_a_fresh_checkout_with_the_old_results(finished, root, tmp_path):
    fresh = type(finished).copy_of(root, tmp_path / "fresh")
    for name in ("results", ".snakemake"):
        shutil.copytree(finished.folder / name, fresh.folder / name)
    assert fresh.planned() == {}

"""Every module of the package is in the fingerprint of the jobs that run it, and of no others."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from workflow_scripts.metrics.registry import metric_names

LIST_JOB_MODULES = Path(__file__).with_name("list_job_modules.py")

# What no job runs: the plan arrives at the jobs as values, records are made by `make record` and `make results`, the
# others bring jobs and users to the package.
OF_NO_JOB = (
    "plan",
    "records",
    "importable",
    "plumbline_command",
    "commands",
    "api",
)
NO_PROGRAMS = ("__init__", "command_line", "compilation", "errors", "workflow_files")
OF_MANY_SETS = {"join_blocks"}  # has jobs only in runs of many sets (test_many_sets.py)

# Wildcards that decide which modules a job of the rule finds by name.
BY_NAME = {
    "build_corpus": "corpus",
    "compare_sets": "metric",
    "align_by_rows": "metric",
    "mix_alignment": "metric",
}

# The rules that an edit below a folder may run again.
RULES_OF = {
    "corpora": {"build_corpus", "select_rows", "survey_pool"},
    "pool": {"select_rows", "survey_pool"},
    "choosing": {"measure_sizes", "mix_candidates", "rank_candidates"},
    "report": {"render_report", "show_mix", "show_ranking", "show_selection"},
    "statistics": {
        "analyse_published",
        "choose_data",
        "predict_losses",
        "collapse_losses",
        "compare_probes",
        "correlate_losses",
        "measure_exchange_rate",
        "rank_mixtures",
        "weigh_rows",
        "weigh_switches",
        "render_report",
    },
    "outside": {"collapse_losses", "import_losses", "rank_mixtures"},
    "fisher": {
        "align_by_rows",
        "compare_sets",
        "embed_batches",
        "flip_switches",
        "mix_alignment",
        "select_rows",
    },
    "models": {
        "align_by_rows",
        "check_one_sentence",
        "compare_sets",
        "embed_batches",
        "evaluate_models",
        "flip_switches",
        "measure_covariates",
        "mix_alignment",
        "train_models",
        "train_probe",
        "select_rows",
    },
    "compression": {"align_by_rows", "compare_sets", "mix_alignment"},
    "ngrams": {"align_by_rows", "compare_sets", "mix_alignment", "score_ngrams"},
    "metrics": {
        "align_by_rows",
        "compare_sets",
        "collect_alignment",
        "measure_covariates",
        "mix_alignment",
        "flip_switches",
        "weigh_switches",
        "render_report",
    },
}


def job_modules(config, folder) -> list[dict]:
    """Each job of a run with the modules of its fingerprint, named without the package's own name."""
    (folder / "run.yaml").write_text(
        yaml.safe_dump(config | {"pathvars": {"results": str(folder / "results")}})
    )
    root = LIST_JOB_MODULES.parents[2]
    listed = subprocess.run(
        [
            sys.executable,
            str(LIST_JOB_MODULES),
            "report,one_sentence,answers",
            str(root / "configs" / "quick.yaml"),
            str(folder / "run.yaml"),
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr[-3000:]
    return [
        {
            **job,
            "modules": {name.removeprefix("workflow_scripts").removeprefix(".") for name in job["modules"]},
        }
        for job in json.loads(listed.stdout.splitlines()[-1])
    ]


@pytest.fixture(scope="module")
def all_jobs(quick, tmp_path_factory) -> list[dict]:
    """The jobs of the quick run with every metric, a training set of every source, and losses measured elsewhere.

    With two probes, and alignment as a function of rows.
    """
    folder = tmp_path_factory.mktemp("every_source")
    (folder / "words.txt").write_text("some words of a text\n" * 30_000)
    corpora = {
        "of_files": {"source": "files", "paths": [str(folder / "words.txt")], "held_out": 0},
        "of_hub": {"source": "hub", "path": "owner/name", "documents": 10_000, "held_out": 0},
    }
    first, *others = quick["experiments"]
    first = {**first, "train_sets": [*first["train_sets"], *corpora, "shuffled_docstrings"]}
    experiments = [first, *others, recorded_experiment(folder)]
    alignment = {"metrics": metric_names(), "encoder": "somebody/encoder", "rows_curve": [16, 32]}
    config = {"experiments": experiments, "corpora": corpora, "alignment": alignment}
    config["probe"] = {"seeds": [0, 1]}
    return job_modules(config | {"questions": questions()}, folder)


def questions() -> list[dict]:
    """One of each kind, and a selection with a second score."""
    candidates = {"candidates": ["of_files", "cpp_headers"]}
    target = {"target": "scientific_docstrings"}
    return [
        {"name": "which", "kind": "rank", **target, **candidates},
        {"name": "rows", "kind": "select", **target, "pool": ["of_files"], "tokens": 1000},
        {
            "name": "ordered",
            "kind": "select",
            **target,
            "pool": ["of_files"],
            "tokens": 1000,
            "score": "fisher",
        },
        {"name": "shares", "kind": "mix", "targets": list(target.values()), **candidates, "tokens": 1000},
    ]


def recorded_experiment(folder) -> dict:
    """Losses of four models on one evaluation set, and the two corpora that each was trained on."""
    shares = {"a": 0.2, "b": 0.4, "c": 0.6, "d": 0.8}
    losses = [f"{name},scientific_docstrings,{4 - share}" for name, share in shares.items()]
    parts = ("scientific_docstrings", "cpp_headers")
    mixtures = [
        f"{name},{part},{amount}"
        for name, share in shares.items()
        for part, amount in zip(parts, (share, 1 - share), strict=True)
    ]
    (folder / "losses.csv").write_text("\n".join(["train_set,eval_set,loss", *losses]))
    (folder / "mixtures.csv").write_text("\n".join(["train_set,corpus,share", *mixtures]))
    return {
        "name": "elsewhere",
        "kind": "recorded",
        "losses": str(folder / "losses.csv"),
        "mixtures": str(folder / "mixtures.csv"),
        "parts": list(parts),
        "eval_sets": ["scientific_docstrings"],
    }


def modules_of_the_package(root) -> set[str]:
    folder = root / "workflow_scripts"
    files = (path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py"))
    return {".".join(path.parts).removesuffix("__init__").removesuffix(".") for path in files}


def jobs_by_module(jobs) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for job in jobs:
        for module in job["modules"]:
            found[module].append(job)
    return found


def test_every_module_is_in_the_fingerprint_of_some_job(root, all_jobs):
    covered = jobs_by_module(all_jobs).keys()
    left_out = {name for name in modules_of_the_package(root) if name.split(".")[0] in OF_NO_JOB}
    assert left_out.isdisjoint(covered)
    assert covered == modules_of_the_package(root) - left_out - OF_MANY_SETS


def test_a_source_is_in_the_fingerprint_of_its_own_corpora_alone(all_jobs):
    by_module = jobs_by_module(all_jobs)
    corpora = {
        source: {
            job["wildcards"]["corpus"]
            for job in by_module[f"corpora.sources.{source}"]
            if job["rule"] == "build_corpus"
        }
        for source in ("environment", "files", "hub")
    }
    assert corpora["files"] == {"of_files"}
    assert corpora["hub"] == {"of_hub"}
    assert corpora["environment"] == {
        "cpp_headers",
        "library_docstrings",
        "probe_code",
        "probe_docstrings",
        "scientific_docstrings",
        "sympy_pairs",
    }
    built = {job["wildcards"]["corpus"] for job in by_module["build_corpus"]}
    assert built - set().union(*corpora.values()) == {"shuffled_docstrings"}  # derived, so of no source


@pytest.mark.parametrize("metric", metric_names())
def test_a_metric_is_in_the_fingerprint_of_its_own_comparisons(all_jobs, metric):
    built_on = {
        "task2vec": {"task2vec_body", "task2vec_published", "task2vec_roots"},
        "ngram_whole": {"ngram_whole_trigram"},
    }
    for rule in ("compare_sets", "mix_alignment"):
        comparisons = {
            job["wildcards"]["metric"]
            for job in jobs_by_module(all_jobs)[f"metrics.{metric}"]
            if job["rule"] == rule
        }
        assert {metric} <= comparisons <= {metric} | built_on.get(metric, set())


@pytest.mark.parametrize("folder", ["fisher", "models"])
def test_a_selection_by_n_grams_has_no_probe_in_its_fingerprint(all_jobs, folder):
    assert {
        job["wildcards"]["question"]
        for module, jobs in jobs_by_module(all_jobs).items()
        if module.split(".")[0] == folder
        for job in jobs
        if job["rule"] == "select_rows"
    } == {"ordered"}


@pytest.mark.parametrize("folder", RULES_OF)
def test_an_edit_in_a_folder_runs_only_its_own_rules_again(all_jobs, folder):
    rules = {
        job["rule"]
        for module, jobs in jobs_by_module(all_jobs).items()
        if module.split(".")[0] == folder
        for job in jobs
    }
    assert rules == RULES_OF[folder]


def test_a_program_is_in_the_fingerprint_of_the_rule_of_its_name_alone(root, all_jobs):
    by_module = jobs_by_module(all_jobs)
    modules = {path.stem for path in (root / "workflow_scripts").glob("*.py")}
    programs = modules - {*NO_PROGRAMS, *OF_NO_JOB} - OF_MANY_SETS
    for program in programs:
        assert {job["rule"] for job in by_module[program]} == {program}


@pytest.mark.whole_run
def test_whatever_a_job_imported_while_it_ran_is_in_its_fingerprint(finished, tmp_path):
    """The jobs of the whole run have written down what they imported: modules that are found by name, too."""
    fingerprints = defaultdict(list)
    for job in job_modules({}, tmp_path):
        fingerprints[job["rule"]].append(job)
    imported = [json.loads(path.read_text()) for path in finished.imported.glob("*.json")]
    assert {program["name"] for program in imported} == fingerprints.keys() - {"check_one_sentence"}
    for program in imported:
        differs_by = BY_NAME.get(program["name"])
        same_job = [
            job["modules"]
            for job in fingerprints[program["name"]]
            if differs_by is None or job["wildcards"][differs_by] in program["arguments"]
        ]
        assert same_job
        for modules in same_job:
            assert set(program["modules"]) <= modules, program["arguments"]

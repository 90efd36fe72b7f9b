"""Experiments whose losses were measured elsewhere: what is checked before the first job, and what is planned."""

import json

import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.work import planned_jobs, rows_files

PARTS, TARGETS = ["scientific_docstrings", "cpp_headers"], ["scientific_docstrings", "licences"]


def write_tables(folder, name, models=5):
    losses = ["train_set,eval_set,loss", *(f"m{i},{t},{3 + i / 10}" for i in range(models) for t in TARGETS)]
    shares = ["train_set,corpus,share"]
    for i in range(models):
        shares += [f"m{i},{PARTS[0]},{i / 10}", f"m{i},{PARTS[1]},{1 - i / 10}"]
    for kind, lines in (("losses", losses), ("mixtures", shares)):
        (folder / f"{name}_{kind}.csv").write_text("\n".join(lines) + "\n")
    return {kind: str(folder / f"{name}_{kind}.csv") for kind in ("losses", "mixtures")}


@pytest.fixture
def recorded(config, tmp_path):
    """The default config with two recorded experiments instead of its own; the second learns from the first."""
    one = {"name": "cheap", "kind": "recorded", "parts": PARTS, "eval_sets": TARGETS}
    config["experiments"] = [
        {**one, **write_tables(tmp_path, "cheap")},
        {**one, **write_tables(tmp_path, "large"), "name": "large", "proxies": "cheap"},
    ]
    config["switches"] = None
    return config


def mistake(config) -> str:
    with pytest.raises(UserError) as caught:
        checked(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nothing_is_trained_and_parts_and_targets_are_measured(recorded):
    plan = RunPlan(checked(recorded))
    assert (
        plan.training.jobs == []
        and plan.training.evaluations == []
        and "loss_collapse" not in plan.report_tables
    )
    assert {"cpp_headers.train", "licences.eval"} <= set(plan.sets.names)
    assert "licences.train" not in plan.sets.names
    assert list(plan.outside.parts.values()) == ["cpp_headers.train", "scientific_docstrings.train"]
    assert [path.rsplit("/", 1)[1] for path in plan.outside.losses] == [
        "cheap.losses.parquet",
        "large.losses.parquet",
    ]
    assert {"effective_tokens", "token_worth"} <= set(plan.report_tables)
    assert [one["kind"] for one in json.loads(plan.analysis.experiments_json)] == ["recorded", "recorded"]


def test_measures_that_read_without_a_probe_need_none(recorded):
    recorded["alignment"]["metrics"] = ["unigram_js", "ngram_whole"]
    plan = RunPlan(checked(recorded))
    assert not plan.uses_probe and plan.alignment.covariates == []
    jobs = planned_jobs(plan)
    assert jobs["train_probe"] == 0 and "measure_covariates" not in jobs
    rows_of_the_probe = [plan.tokens.rows(name, "train") for name in plan.corpora.of_probe]
    assert rows_of_the_probe and not set(rows_of_the_probe) & set(rows_files(plan))
    recorded["alignment"]["metrics"].append("hidden_state_cosine")
    plan = RunPlan(checked(recorded))
    assert plan.uses_probe and planned_jobs(plan)["train_probe"] == 1
    assert plan.alignment.probe("unigram_js") == plan.alignment.model("unigram_js") == []
    assert plan.alignment.probe("hidden_state_cosine") == [plan.probe.weights]


def test_models_that_are_trained_are_described_by_covariates_which_read_with_the_probe(config):
    config["alignment"]["metrics"], config["switches"] = ["unigram_js"], None
    plan = RunPlan(checked(config))
    assert plan.uses_probe and len(plan.alignment.covariates) == 1


def test_mixtures_wait_for_their_parts_only_where_they_are_the_mean_of_them(recorded):
    alignment = RunPlan(checked(recorded)).alignment
    assert alignment.before_mixtures("gzip_pairs")[0].endswith("alignment/gzip_pairs.parquet")
    assert alignment.before_mixtures("unigram_js") == alignment.before_mixtures("ngram_whole") == []


def test_only_what_exists_is_asked_for_after_a_failure(recorded):
    plan = RunPlan(checked({**recorded, "only_existing": True}))
    assert plan.outside.losses == plan.outside.alignments == []


def test_a_record_that_is_older_than_a_table_is_shown_without_it(recorded, tmp_path):
    recorded |= {"only_existing": True, "pathvars": {"results": str(tmp_path / "run")}}
    kept = tmp_path / "run/analysis/effective_tokens.parquet"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert RunPlan(checked(recorded)).outside.tables == {"effective_tokens": str(kept)}
    losses = tmp_path / "run/outside/cheap.losses.parquet"
    losses.parent.mkdir()
    losses.touch()  # from them every table can be made
    assert "predicted_losses" in RunPlan(checked(recorded)).outside.tables


def test_a_run_without_recorded_experiments_has_none_of_their_files(config):
    plan = RunPlan(checked(config))
    assert plan.outside.tables == {} and plan.outside.alignments == []
    assert "loss_collapse" in plan.report_tables


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"proxies": "chaep"},
            "experiments.large.proxies = chaep: unknown name; did you mean cheap?",
        ),
        ({"proxies": "large"}, "experiments.large.proxies = large"),
        (
            {"parts": [*PARTS, "sympy_pairs"]},
            "experiments.large.parts: they must be the same as those of cheap",
        ),
        ({"eval_sets": TARGETS[:1]}, "experiments.large.eval_sets: they must be the same as those of cheap"),
        ({"parts": ["licences", "cpp_headers"]}, "experiments.large.parts = licences: held_out is 1"),
        ({"sharpen_from": ["cheap"]}, "experiments.large.parameters is missing"),
        ({"stand_ins": ["cpp_headers"]}, "experiments.large.stand_ins = cpp_headers"),
        ({"losses": "nowhere.csv"}, "experiments.large: losses = nowhere.csv: there is no such file"),
        ({"model": "7B"}, "experiments.large: "),
        ({"recipe": "from_scratch"}, "experiments.large.recipe: unknown key"),
        ({"name": "cheap", "proxies": None}, "two experiments have this name"),
    ],
)
def test_a_mistake_is_named_before_the_first_job(recorded, changes, said):
    recorded["experiments"][1] |= changes
    assert mistake(recorded).startswith(said) or said in mistake(recorded)


def test_too_few_models_cannot_be_ranked(recorded, tmp_path):
    recorded["experiments"][0] |= write_tables(tmp_path, "few", models=3)
    assert "the table has 3 models; at least 4 are needed" in mistake(recorded)


def test_a_table_with_a_gap_is_refused(recorded, tmp_path):
    path = tmp_path / "large_mixtures.csv"
    path.write_text(path.read_text().replace("m4,cpp_headers,0.6", "m4,cpp_headers,0.1"))
    assert mistake(recorded).endswith("the shares of m4 sum to 0.5; they must sum to 1")


def test_tables_that_are_shipped_are_found_from_any_folder(recorded, root, tmp_path, monkeypatch):
    shipped = json.loads(json.dumps(recorded))
    shipped["experiments"][0]["losses"] = "published/regmix/losses_test_1b.csv"
    monkeypatch.chdir(tmp_path)
    assert "has no loss on any of" in mistake(shipped)  # so it was found and read

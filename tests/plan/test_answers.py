"""Which sets are compared by the answers of their pairs, by which measures, and what is embedded for it."""

import copy

import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.work import operations, planned_jobs


def plan_of(config) -> RunPlan:
    return RunPlan(checked(copy.deepcopy(config)))


@pytest.fixture
def without_pairs(config):
    config["experiments"] = [e for e in config["experiments"] if e["kind"] != "finetuning"]
    return config


def test_sets_of_experiments_with_losses_of_answers_are_compared_by_answers(config):
    plan = plan_of(config)
    (finetuning,) = (e for e in plan.config["experiments"] if e["kind"] == "finetuning")
    assert set(plan.sets.with_answers) == {
        *(f"{name}.train" for name in finetuning["train_sets"]),
        *(f"{name}.eval" for name in finetuning["eval_sets"]),
    }
    assert plan.sets.floor in plan.sets.with_answers
    assert plan.alignment.answering("unigram_js") == plan.sets.with_answers
    assert plan.alignment.answering("task2vec_published") == []
    assert plan.alignment.answers("task2vec_published", "seed-0") == []
    assert plan.alignment.answers("unigram_js", "seed-0") == [
        word
        for name in plan.sets.with_answers
        for word in ("--answers", f"{name}={plan.alignment.rows_of(name)}")
    ]


def embedded_by_answers(plan, estimator) -> list[str]:
    words = [word for job in plan.fisher.jobs(estimator) for word in plan.fisher.answers(estimator, job)]
    assert set(words[::2]) <= {"--answers"}
    return words[1::2]


def test_pairs_alone_are_embedded_twice(config):
    plan = plan_of(config)
    words = plan.alignment.answers("task2vec", "seed-0")
    options, files = words[::2], [word.split("=") for word in words[1::2]]
    inputs = {
        name: path for option, (name, path) in zip(options, files, strict=True) if option == "--answers"
    }
    times = {name: path for option, (name, path) in zip(options, files, strict=True) if option != "--answers"}
    assert list(inputs) == list(times) == plan.sets.with_answers
    for name in plan.sets.with_answers:
        is_paired = name.startswith(("sympy_pairs", "library_pairs", "docstring_code_pairs"))
        folder = plan.fisher.folder(name, "corrected")
        assert inputs[name] == f"{folder}/{name}.answer.parquet" if is_paired else f"{folder}/{name}.parquet"
        assert times[name] == plan.fisher.times_folder(name, "corrected") + (
            f"/{name}.answer.json" if is_paired else f"/{name}.json"
        )
        assert (name in embedded_by_answers(plan, "corrected")) == is_paired
    assert len(embedded_by_answers(plan, "corrected")) == 6
    assert embedded_by_answers(plan, "published") == []
    assert planned_jobs(plan)["embed_batches"] == len(plan.fisher.embeddings())


def test_a_mixture_of_pairs_has_answers_of_its_own(config):
    config["corpora"]["mixed"] = {
        "source": "mixture",
        "fractions": {"sympy_pairs": 0.5, "cpp_headers": 0.5},
    }
    (finetuning,) = (e for e in config["experiments"] if e["kind"] == "finetuning")
    finetuning["train_sets"].append("mixed")
    plan = plan_of(config)
    assert plan.fisher.embedded("mixed.train", "corrected", "answer") == "mixed.train.answer"
    assert plan.fisher.embedded("science_50.train", "corrected", "answer") == "science_50.train"


def test_a_stand_in_decides_whether_there_are_answers(config):
    config["alignment"]["measured_as"] = {"cpp_headers": "library_pairs", "sympy_pairs": "cpp_headers"}
    plan = plan_of(config)
    assert plan.fisher.embedded("cpp_headers.train", "corrected", "answer") == "library_pairs.train.answer"
    assert plan.fisher.embedded("sympy_pairs.train", "corrected", "answer") == "cpp_headers.train"


def test_a_config_without_pairs_asks_for_nothing_of_answers(without_pairs):
    plan = plan_of(without_pairs)
    assert plan.sets.with_answers == plan.sets.answering == plan.fisher.of_answers == []
    for metric in plan.alignment.metrics:
        assert plan.alignment.answers(metric, "seed-0") == []
    without_pairs["alignment"]["answers"] = []
    none = plan_of(without_pairs)
    assert none.fisher.embeddings() == plan.fisher.embeddings()
    assert planned_jobs(none) == planned_jobs(plan) and operations(none) == operations(plan)
    assert plan.fisher.embeddings() == sorted(
        f"{plan.root}/embeddings/seed-0/{estimator}/{job}"
        for estimator in ("corrected", "published")
        for job in plan.fisher.jobs(estimator)
    )


def test_the_config_may_name_the_measures(config):
    every = operations(plan_of(config))["embed_batches"]
    config["alignment"]["answers"] = ["unigram_js", "tfidf_cosine"]
    plan = plan_of(config)
    assert plan.sets.answering == ["unigram_js", "tfidf_cosine"]
    assert plan.alignment.answering("gzip_pairs") == []
    assert embedded_by_answers(plan, "corrected") == []
    assert operations(plan)["embed_batches"] < every


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (
            "task2vec_published",
            "alignment.answers = task2vec_published: it compares whole pairs only; allowed",
        ),
        ("unigrams", "alignment.answers = unigrams: unknown name; did you mean unigram_js"),
        ("ngram_whole", "alignment.answers = ngram_whole: unknown name"),
    ],
)
def test_a_measure_that_cannot_or_is_not_computed_is_refused(config, named, said):
    config["alignment"]["answers"] = ["unigram_js", named]
    with pytest.raises(UserError) as mistake:
        plan_of(config)
    assert said in str(mistake.value)

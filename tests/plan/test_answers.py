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
    assert plan.alignment.answer_inputs("task2vec_published") == []
    assert plan.alignment.answer_inputs("unigram_js") == [
        plan.alignment.rows_of(name) for name in plan.sets.with_answers
    ]


def test_pairs_alone_are_embedded_twice(config):
    plan = plan_of(config)
    inputs = dict(zip(plan.sets.with_answers, plan.alignment.answer_inputs("task2vec"), strict=True))
    times = dict(zip(plan.sets.with_answers, plan.alignment.answer_times("task2vec"), strict=True))
    for name in plan.sets.with_answers:
        is_paired = name.startswith(("sympy_pairs", "library_pairs", "docstring_code_pairs"))
        whole = plan.fisher.embedding(name, "corrected")
        answers = whole.replace(".parquet", ".answer.parquet")
        assert inputs[name] == (answers if is_paired else whole)
        assert times[name].endswith(f"{name}.answer.json" if is_paired else f"{name}.json")
        assert {whole, inputs[name]} <= set(plan.fisher.embeddings())
    twice = [path for path in plan.fisher.embeddings() if path.endswith(".answer.parquet")]
    assert len(twice) == 6 and not any("published" in path for path in twice)
    assert planned_jobs(plan)["embed_batches"] == len(plan.fisher.embeddings())


def test_a_mixture_of_pairs_has_answers_of_its_own(config):
    config["corpora"]["mixed"] = {
        "source": "mixture",
        "fractions": {"sympy_pairs": 0.5, "cpp_headers": 0.5},
    }
    (finetuning,) = (e for e in config["experiments"] if e["kind"] == "finetuning")
    finetuning["train_sets"].append("mixed")
    plan = plan_of(config)
    assert plan.fisher.embedding("mixed.train", "corrected", part="answer").endswith(
        "mixed.train.answer.parquet"
    )
    assert plan.fisher.embedding("science_50.train", "corrected", part="answer").endswith(
        "science_50.train.parquet"
    )


def test_a_stand_in_decides_whether_there_are_answers(config):
    config["alignment"]["measured_as"] = {"cpp_headers": "library_pairs", "sympy_pairs": "cpp_headers"}
    plan = plan_of(config)
    assert plan.fisher.embedding("cpp_headers.train", "corrected", part="answer").endswith(
        "library_pairs.train.answer.parquet"
    )
    assert plan.fisher.embedding("sympy_pairs.train", "corrected", part="answer").endswith(
        "cpp_headers.train.parquet"
    )


def test_a_config_without_pairs_asks_for_nothing_of_answers(without_pairs):
    plan = plan_of(without_pairs)
    assert plan.sets.with_answers == plan.sets.answering == plan.fisher.of_answers == []
    for metric in plan.alignment.metrics:
        assert plan.alignment.answer_inputs(metric) == plan.alignment.answer_times(metric) == []
    without_pairs["alignment"]["answers"] = []
    none = plan_of(without_pairs)
    assert none.fisher.embeddings() == plan.fisher.embeddings()
    assert planned_jobs(none) == planned_jobs(plan) and operations(none) == operations(plan)
    assert plan.fisher.embeddings() == sorted(
        plan.fisher.embedding(name, estimator)
        for estimator in ("corrected", "published")
        for name in plan.sets.names
    )


def test_the_config_may_name_the_measures(config):
    every = operations(plan_of(config))["embed_batches"]
    config["alignment"]["answers"] = ["unigram_js", "tfidf_cosine"]
    plan = plan_of(config)
    assert plan.sets.answering == ["unigram_js", "tfidf_cosine"]
    assert plan.alignment.answering("gzip_pairs") == []
    assert not any(path.endswith(".answer.parquet") for path in plan.fisher.embeddings())
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

import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.forecast import forecast
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.work import planned_jobs


@pytest.fixture
def asked(config, tmp_path):
    """A config with questions alone, about four files."""
    for name in ("goal", "a", "b", "pool"):
        (tmp_path / f"{name}.jsonl").write_text('{"text": "some words"}\n' * 3000)
    config["corpora"] |= {
        name: {
            "source": "files",
            "paths": [str(tmp_path / f"{name}.jsonl")],
            "held_out": float(name == "goal"),
        }
        for name in ("goal", "a", "b", "pool")
    }
    config |= {"experiments": [], "switches": None}
    config["tokenizer"]["corpora"] = ["goal", "a", "b"]
    config["alignment"]["metrics"] = ["ngram_cross_entropy", "unigram_js"]
    config["questions"] = [{"name": "which", "kind": "rank", "target": "goal", "candidates": ["a", "b"]}]
    return config


def test_a_question_needs_no_experiment(asked):
    plan = RunPlan(checked(asked))
    assert plan.sets.names == ["a.train", "b.train", "goal.eval", "random_tokens.train"]
    assert plan.choosing.sized_sets == ["a.train", "b.train", "goal.eval"]
    assert plan.choosing.answers == ["results/default/answers/which/index.html"]
    assert plan.choosing.surveys("which") == [
        f"results/default/answers/which/surveys/{name}.json" for name in ("a", "b")
    ]


def test_its_jobs_are_forecast_and_no_report(asked):
    plan = RunPlan(checked(asked))
    jobs = planned_jobs(plan)
    assert {rule: count for rule, count in jobs.items() if count and rule != "build_corpus"} == {
        "make_tokenizer": 1,
        "tokenize_corpus": 3,
        "draw_random_rows": 1,
        "compare_sets": 2,
        "collect_alignment": 1,
        "measure_sizes": 1,
        "survey_pool": 2,
        "rank_candidates": 1,
        "show_ranking": 1,
    }
    assert "jobs" in forecast(plan, jobs, 2)


def test_without_questions_nothing_is_added(config):
    assert planned_jobs(RunPlan(checked(config)))["survey_pool"] == 0
    assert "measure_sizes" not in planned_jobs(RunPlan(checked(config)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": "gaol"}, "questions.which.target = gaol: unknown name; did you mean goal?"),
        ({"candidates": ["a", "science_50"]}, "science_50: a mixture corpus has no documents"),
        ({"target": "a"}, "the target a has held_out 0"),
        ({"candidates": ["goal"]}, "the candidate goal has held_out 1"),
        ({"tokens": 5}, "questions.which.tokens: unknown key"),
        ({"kind": "guess"}, 'questions.0.kind = "guess": allowed: rank, select, mix'),
    ],
)
def test_a_mistake_in_a_question_is_named(asked, change, says):
    asked["questions"][0] |= change
    with pytest.raises(UserError) as mistake:
        checked(asked)
    assert says in str(mistake.value)


def test_mistakes_across_questions(asked):
    asked["questions"] *= 2
    with pytest.raises(UserError, match=r"questions.which: two questions have this name"):
        checked(asked)
    with pytest.raises(UserError, match="experiments and questions are both empty"):
        checked(asked | {"questions": []})


def test_short_runs_that_correct_a_ranking(asked):
    """The tokenizer may know the candidates: it knows all of them."""
    runs = {"name": "short", "kind": "pretraining", "recipe": "from_scratch", "eval_sets": ["goal"]}
    asked["recipes"]["from_scratch"]["tokens"] = [5000, 10000]
    asked["questions"][0]["verified_by"] = "short"
    asked["experiments"] = [runs | {"train_sets": ["a", "b"]}]
    plan = RunPlan(checked(asked))
    assert plan.choosing.losses("which") == ["results/default/losses/loss_summary.parquet"]
    for change, says in (
        ({"train_sets": ["a"]}, "at least two training sets and two budgets"),
        ({"train_sets": ["a", "cpp_headers"]}, "its training set = cpp_headers"),
        ({"train_sets": ["a", "b"], "eval_sets": ["licences"]}, "its evaluation set = goal"),
        ({"train_sets": ["a", "b"], "name": "other"}, "verified_by = short: unknown name"),
    ):
        asked["experiments"] = [runs | change]
        with pytest.raises(UserError, match=says):
            checked(asked)


def test_the_deciding_measure_must_have_been_compared_with_losses(asked, monkeypatch):
    monkeypatch.setattr("workflow_scripts.choosing.worth.all_constants", dict)
    with pytest.raises(UserError, match="ngram_cross_entropy has not been compared with losses"):
        checked(asked)


def test_a_pool_is_of_files_and_is_not_built(asked):
    asked["questions"] = [
        {"name": "rows", "kind": "select", "target": "goal", "pool": ["pool"], "tokens": 1000}
    ]
    plan = RunPlan(checked(asked))
    assert "pool" not in plan.corpora.needed
    assert plan.sets.names == ["random_tokens.train"]
    asked["questions"][0]["pool"] = ["science_50"]
    with pytest.raises(UserError, match="pool = science_50: its source is mixture"):
        checked(asked)


def test_names_in_weights_and_minimum_shares(asked):
    mix = {"name": "mix", "kind": "mix", "targets": ["goal"], "candidates": ["a", "b"], "tokens": 1000}
    asked["questions"] = [mix | {"minimum_shares": {"c": 0.1}}]
    with pytest.raises(UserError, match=r"questions.mix.minimum_shares = c: unknown name"):
        checked(asked)
    asked["questions"] = [mix | {"minimum_shares": {"a": 0.6, "b": 0.6}}]
    with pytest.raises(UserError, match="add up to more than 1"):
        checked(asked)


def test_more_text_than_the_smallest_set_has_is_asked_for_only_where_batches_must_be_full(asked, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "some words"}\n' * 200)
    with pytest.raises(UserError, match=r"than corpora.a has .at most 4600 bytes"):
        checked(asked)
    asked["alignment"]["fewer_rows"] = True
    checked(asked)

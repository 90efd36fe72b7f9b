import copy
import json
import shlex
import sys
from pathlib import Path

from workflow_scripts.plan.after_failure import command_for_what_exists
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.resolve import resolved
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.stages.training import NGRAM_MOST_TOKENS
from workflow_scripts.report.figures import FIGURES


def plan_of(config) -> RunPlan:
    return RunPlan(checked(copy.deepcopy(config)))


def test_only_corpora_that_something_needs_are_built(config):
    config["corpora"]["unused"] = {"source": "files", "paths": ["/nowhere/at/all.txt"]}
    plan = plan_of(config)
    assert "unused" not in plan.corpora.needed
    assert {"sympy_prose", "science_25", "probe_code", "random_tokens"} <= set(plan.corpora.needed)
    assert "science_25" not in plan.corpora.with_documents


def test_sets_are_sides_of_corpora(config):
    plan = plan_of(config)
    assert {"scientific_docstrings.train", "scientific_docstrings.eval", "random_tokens.train"} <= set(
        plan.sets.names
    )
    assert "licences.train" not in plan.sets.names
    assert plan.tokens.of_set("science_50.train", "documents").endswith(
        "tokens/science_50/train.documents.parquet"
    )
    assert plan.tokens.of_set("random_tokens.train", "documents").endswith(
        "tokens/random_tokens/train.packed.parquet"
    )


def test_pairs_keep_a_row_each_and_plain_text_is_packed(config):
    plan = plan_of(config)
    assert plan.training.layout("from_probe", "sympy_pairs") == "documents"
    assert plan.training.layout("from_probe", "sympy_prose") == "packed"
    assert plan.training.layout("from_probe", "cpp_headers") == "packed"
    assert plan.training.layout("from_probe", "random_tokens") == "packed"


def test_a_new_seed_at_the_end_adds_jobs_and_changes_none(config):
    config["seeds_per_job"] = 2
    config["recipes"]["from_scratch"]["seeds"] = [0, 1]
    before = set(plan_of(config).training.jobs)
    config["recipes"]["from_scratch"]["seeds"] = [0, 1, 7]
    after = set(plan_of(config).training.jobs)
    assert before < after
    assert {seeds for _, _, seeds in after - before} == {"7"}


def test_the_json_of_a_recipe_has_no_seeds(config):
    one = plan_of(config).training.recipe_json("from_scratch", "cpp_headers")
    config["recipes"]["from_scratch"]["seeds"] = [4, 5]
    assert plan_of(config).training.recipe_json("from_scratch", "cpp_headers") == one


def test_experiments_share_the_runs_of_a_recipe(config):
    plan = plan_of(config)
    from_scratch = [name for recipe, name, _ in plan.training.jobs if recipe == "from_scratch"]
    assert sorted(set(from_scratch)) == sorted(from_scratch[:: len(from_scratch) // len(set(from_scratch))])
    assert len(plan.training.evaluations) == len(set(plan.training.evaluations))


def test_ngrams_are_scored_where_a_model_is_and_up_to_a_size(config):
    training = plan_of(config).training
    assert set(training.ngram_jobs) == {(recipe, name) for recipe, name, _ in training.jobs}
    assert training.ngram_budgets("from_scratch", "shuffled_docstrings") == [262144]
    assert training.ngram_budgets("from_scratch", "science_50") == [32768, 65536, 131072, 262144]
    assert training.ngram_eval_sets("from_probe", "cpp_headers") == sorted(
        ["sympy_pairs", "library_pairs", "docstring_code_pairs"]
    )
    config["recipes"]["from_scratch"]["tokens"] = [NGRAM_MOST_TOKENS, NGRAM_MOST_TOKENS + 1]
    config["experiments"][0]["tokens"] = [NGRAM_MOST_TOKENS + 1]
    config["corpora"] = {
        name: {key: value for key, value in spec.items() if key != "limit_bytes"}
        for name, spec in config["corpora"].items()
    }
    larger = plan_of(config).training
    assert larger.ngram_budgets("from_scratch", "science_50") == [NGRAM_MOST_TOKENS]
    assert ("from_scratch", "shuffled_docstrings") not in larger.ngram_jobs


def test_the_table_of_ngrams_is_asked_for_where_it_is_or_can_be_made(config, tmp_path):
    config["pathvars"] = {"results": str(tmp_path)}
    assert plan_of(config).report_tables["ngram_summary"] == f"{tmp_path}/losses/ngram_summary.parquet"
    config["only_existing"] = True
    assert "ngram_summary" not in plan_of(config).report_tables
    of_one_set = tmp_path / "losses" / "ngrams" / "from_scratch" / "cpp_headers.parquet"
    for path in (of_one_set, tmp_path / "losses" / "ngram_summary.parquet"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        assert "ngram_summary" in plan_of(config).report_tables
        path.unlink()


def test_only_existing_keeps_what_is_there(config, tmp_path):
    config["pathvars"] = {"results": str(tmp_path)}
    config["only_existing"] = True
    plan = plan_of(config)
    assert plan.training.losses == []
    (seeds,) = (seeds for *job, seeds in plan.training.jobs if job == ["from_scratch", "cpp_headers"])
    manifest = tmp_path / "training/from_scratch/cpp_headers" / f"seeds-{seeds}" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    assert plan.training.manifests("from_scratch") == [str(manifest)]
    assert {path.split("/")[-2] for path in plan.training.losses} == {"from_scratch"}


def test_files_are_looked_up_in_the_corpora_folder(config, tmp_path, monkeypatch):
    (tmp_path / "words.txt").write_text("one two three " * 30_000)
    config["corpora"]["licences"] = {"source": "files", "paths": "words.txt", "held_out": 1}
    config["corpora_folder"] = "$SOMEWHERE"
    monkeypatch.setenv("SOMEWHERE", str(tmp_path))
    plan = plan_of(config)
    assert plan.corpora.files_read("licences") == [str(tmp_path / "words.txt")]
    assert str(tmp_path) not in plan.config_json


def test_a_recipe_may_be_evaluated_in_its_own_way(config):
    config["recipes"]["from_probe"]["evaluation"] = {"tokens": None}
    plan = plan_of(config)
    assert plan.training.recipe("from_probe")["evaluation"] == {
        **plan.training.recipe("from_scratch")["evaluation"],
        "tokens": None,
    }
    assert plan.training.recipe("from_scratch")["evaluation"]["tokens"] == 8192
    assert '"tokens": null' in plan.training.evaluation_json("from_probe")
    assert "evaluation" not in plan.training.recipe_json("from_probe", "sympy_pairs")


def test_a_metric_that_reads_with_an_encoder_gets_the_encoder(config):
    config["alignment"] |= {"metrics": ["unigram_js", "sentence_embedding"], "encoder": "some/encoder"}
    plan = plan_of(config)
    assert plan.alignment.encoder("sentence_embedding") == ["--encoder", "some/encoder"]
    assert plan.alignment.encoder("unigram_js") == []


def test_a_set_may_be_measured_as_another(config):
    config["corpora"]["one_licence"] = {
        "source": "hub",
        "path": "somebody/text",
        "documents": 1,
        "held_out": 1,
    }
    config["experiments"][0]["eval_sets"].append("one_licence")
    config["alignment"]["measured_as"] = {"one_licence": "licences"}
    config["estimators"]["published"]["measured_as"] = {
        "cpp_headers": "science_25",
        "arrow_headers": "cpp_headers.train",
    }
    plan = plan_of(config)
    assert plan.alignment.rows_of("one_licence.eval") == plan.tokens.of_set("licences.eval")

    def embedded(name, estimator):
        metric = {"corrected": "task2vec", "published": "task2vec_published"}[estimator]
        (file,) = plan.alignment.files_of(metric, [name], plan.alignment.inputs(metric, [name]))
        folder, file = file.rsplit("/", 1)
        assert folder == plan.fisher.folder(name, estimator)
        job = plan.fisher.jobs(estimator)[folder.rsplit("/", 1)[1]]
        assert file.removesuffix(".parquet") in job
        return file.removesuffix(".parquet")

    assert embedded("one_licence.eval", "corrected") == "licences.eval"
    assert embedded("cpp_headers.train", "published") == "science_25.train"
    assert embedded("cpp_headers.train", "corrected") == "cpp_headers.train"
    assert embedded("arrow_headers.eval", "published") == "cpp_headers.train"
    assert (
        len(plan.alignment.inputs("unigram_js", plan.sets.names))
        == len(plan.sets.names)
        == len(plan.alignment.times("task2vec", plan.sets.names))
    )


def test_sets_are_embedded_in_groups_and_one_added_behind_them_moves_no_other(config):
    config["sets_per_job"] = 4
    plan = plan_of(config)
    jobs = plan.fisher.jobs("corrected")
    assert list(jobs) == [f"sets-{i}" for i in range(len(jobs))]
    assert {len(sets) for sets in list(jobs.values())[:-1]} == {4} and 1 <= len(list(jobs.values())[-1]) <= 4
    every = [name for sets in jobs.values() for name in sets]
    assert sorted(every) == plan.sets.names
    config["corpora"]["one_more"] = {"source": "hub", "path": "somebody/text", "held_out": 1}
    config["experiments"][0]["eval_sets"].append("one_more")
    after = plan_of(config).fisher.jobs("corrected")
    assert [name for sets in after.values() for name in sets] == [*every, "one_more.eval"]


def test_a_stand_in_is_built_though_no_experiment_names_it(config):
    config["corpora"]["stand_in"] = {"source": "hub", "path": "somebody/text"}
    assert "stand_in" not in plan_of(config).corpora.needed
    config["estimators"]["published"]["measured_as"] = {"cpp_headers": "stand_in"}
    assert "stand_in" in plan_of(config).corpora.with_documents


def test_an_estimator_may_have_batches_of_its_own(config):
    config["alignment"] |= {"batches": 4, "rows": 16}
    config["estimators"]["published"] = {"batches": 100, "layout": "documents"}
    assert plan_of(config).alignment.batches("task2vec_published") == 4
    config["estimators"]["published"] |= {"rows": 512, "sampling": "same", "fewer_rows": True}
    plan = plan_of(config)
    assert plan.alignment.batches("task2vec_published") == 100
    assert (plan.alignment.rows("task2vec_published"), plan.alignment.rows("task2vec")) == (512, 16)
    assert plan.fisher.settings("published")["sampling"] == "same"
    assert plan.alignment.fewer_rows("task2vec_published") == ["--fewer-rows"]
    assert plan.alignment.fewer_rows("unigram_js") == []
    assert set(json.loads(plan.fisher.estimator_json("published"))) == {"name"}


def test_a_config_that_is_resolved_once_more_stays_as_it_is(config):
    config["alignment"] |= {"batches": 4, "rows": 16}
    config["estimators"]["published"] = {"batches": 100, "layout": "documents"}
    config["recipes"]["from_probe"]["evaluation"] = {"tokens": None}
    once = checked(copy.deepcopy(config))
    assert once["estimators"]["published"]["batches"] == 4
    assert resolved(copy.deepcopy(once)) == once == checked(copy.deepcopy(once))


def test_a_pretrained_probe_stands_in_for_the_published_model(config):
    assert plan_of(config).probe.one_sentence_model == []
    config["probe"]["model"] = {"pretrained": "/weights/gpt2"}
    assert plan_of(config).probe.one_sentence_model == ["--model", "/weights/gpt2"]


def test_the_page_is_given_the_tables_that_it_reads(config):
    read = {table for maker in FIGURES for table in maker.needs} | {
        "choice_cost",
        "rows_curve_cost",
    }  # beside them
    assert plan_of(config).report_tables.keys() <= read


def test_the_page_of_a_failed_run_is_made_by_the_same_snakefile_and_python(config, tmp_path):
    config["pathvars"] = {"results": str(tmp_path / "of a run")}
    words = shlex.split(
        command_for_what_exists(plan_of(config), "/a copy/Snakefile", ["report", "--cores", "3"])
    )
    assert words[:5] == [sys.executable, "-m", "snakemake", "--snakefile", "/a copy/Snakefile"]
    assert words[words.index("--cores") + 1] == "3"
    overlay = json.loads(Path(words[words.index("--configfile") + 1]).read_text())
    assert overlay["only_existing"] is True
    assert words[-1] == "report"

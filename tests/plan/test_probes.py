"""Probes beyond the first measure every metric that depends on the probe once more, and nothing else."""

import copy

import pytest

from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.work import planned_jobs


def plan_of(config, seeds) -> RunPlan:
    config = copy.deepcopy(config)
    config["probe"]["seeds"] = seeds
    return RunPlan(checked(config))


def test_with_one_probe_there_is_no_other_file(config):
    plan = plan_of(config, [3])
    assert plan.alignment.by_other_probes == plan.alignment.other_probes == []
    assert plan.alignment.probe_tables == {}
    assert "probe_spread" not in plan.report_tables
    assert plan.alignment.probe_folder == "(?:)"
    assert planned_jobs(plan).get("compare_probes", 0) == 0


def test_more_probes_add_jobs_for_metrics_that_depend_on_the_probe_only(config):
    one, three = plan_of(config, [0]), plan_of(config, [0, 1, 2])
    dependent = ["task2vec", "task2vec_body", "task2vec_published", "hidden_state_cosine"]
    assert three.alignment.with_probe == dependent
    assert three.alignment.by_other_probes == [
        (probe, f"{three.root}/alignment/probes/{probe}/{metric}.parquet")
        for probe in ("seed-1", "seed-2")
        for metric in dependent
    ]
    before, after = planned_jobs(one), planned_jobs(three)
    added = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    assert added == {
        "train_probe": 2,
        "embed_batches": 2 * before["embed_batches"],
        "compare_sets": 2 * len(dependent),
        "compare_probes": 1,
    }


def test_the_first_probe_keeps_its_files_and_is_the_base_of_fine_tuning(config):
    one, three = plan_of(config, [5]), plan_of(config, [5, 1])
    sets = ["cpp_headers.train"]
    for metric in one.alignment.metrics:
        assert one.alignment.inputs(metric, sets) == three.alignment.inputs(metric, sets, "seed-5")
        assert one.alignment.model(metric) == three.alignment.model(metric, three.alignment.probe_of(""))
    assert one.training.base("from_probe") == three.training.base("from_probe") == [three.probe.weights]
    assert one.alignment.tables("") == three.alignment.tables("")


@pytest.mark.parametrize("metric", ["task2vec", "hidden_state_cosine"])
def test_another_probe_reads_its_own_weights_and_embeddings(config, metric):
    plan = plan_of(config, [0, 1])
    assert plan.alignment.probe_of("probes/seed-1/") == "seed-1"
    read = [
        *plan.alignment.inputs(metric, ["cpp_headers.train"], "seed-1"),
        *plan.alignment.times(metric, ["cpp_headers.train"], "seed-1"),
        *plan.alignment.model(metric, "seed-1"),
    ]
    about_probes = [path for path in read if "seed-" in path]
    assert about_probes and all("seed-1" in path for path in about_probes)


def test_probes_that_no_metric_reads_are_not_trained(config):
    config["alignment"]["metrics"] = ["unigram_js"]
    plan = plan_of(config, [0, 1])
    assert plan.probes_used == ["seed-0"]  # covariates and fine-tuning read it
    assert plan.alignment.by_other_probes == []

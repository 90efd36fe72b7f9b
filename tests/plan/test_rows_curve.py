"""Alignment as a function of rows is measured only where the config asks for it."""

import copy

import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.stages.fisher import CURVE
from workflow_scripts.plan.work import operations, planned_jobs


def plan_of(config, sizes) -> RunPlan:
    config = copy.deepcopy(config)
    config["alignment"]["rows_curve"] = sizes
    return RunPlan(checked(config))


def test_without_it_nothing_is_planned(config):
    plan = plan_of(config, None)
    assert plan.alignment.curves() == [] and plan.alignment.curve_tables == {}
    assert plan.fisher.curve_folder == "(?:)"
    assert all("/curve/" not in path for path in plan.fisher.embeddings())


def test_every_metric_has_a_table_and_fisher_embeddings_as_many_batches_as_it_takes(config):
    without, plan = plan_of(config, None), plan_of(config, [64, 1024])
    assert plan.alignment.curves() == [
        f"{plan.root}/alignment/rows/{metric}.parquet" for metric in plan.alignment.metrics
    ]
    assert plan.fisher.batches("corrected", CURVE) == 32
    assert plan.fisher.batches("corrected", "") == without.fisher.batches("corrected", "") == 8
    sets = [*plan.sets.of_curve[0], *plan.sets.of_curve[1]]
    jobs = plan.fisher.jobs("corrected", CURVE)
    assert sorted(name for job in jobs.values() for name in job) == sorted(set(sets))
    for name in sets:
        (job,) = (job for job, group in jobs.items() if name in group)
        assert plan.alignment.curve_inputs("task2vec_roots", [name]) == [
            f"{plan.root}/embeddings/seed-0/corrected/curve/{job}"
        ]
    assert plan.alignment.curve_inputs("unigram_js", sets) == plan.alignment.inputs("unigram_js", sets)
    before, after = planned_jobs(without), planned_jobs(plan)
    added = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    assert added == {
        "embed_batches": 2 * len(jobs),
        "align_by_rows": len(plan.alignment.metrics),
        "weigh_rows": 1,
    }
    assert operations(plan)["embed_batches"] > 2 * operations(without)["embed_batches"]


@pytest.mark.parametrize(
    ("estimator", "sizes", "message"),
    [
        (
            {},
            [64, 100],
            "alignment.rows_curve = 100: task2vec has batches of 32 rows, so it needs a multiple",
        ),
        ({"sampling": "same"}, [64], "batches of the same rows cannot be pooled"),
    ],
)
def test_what_cannot_be_pooled_is_refused(config, estimator, sizes, message):
    config["estimators"]["corrected"] |= estimator
    with pytest.raises(UserError, match=message):
        plan_of(config, sizes)


def test_metrics_of_rows_take_any_number(config):
    config["alignment"]["metrics"] = ["unigram_js"]
    assert plan_of(config, [7]).alignment.curves()

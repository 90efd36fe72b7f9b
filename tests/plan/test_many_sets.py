"""With many sets, a measure is compared in blocks."""

import copy

import pytest

from workflow_scripts.metrics.pairs import MOST_SETS
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.work import planned_jobs


@pytest.fixture
def plan_of(config, tmp_path):
    """The plan of a run with some training corpora and two evaluation corpora of files."""

    def plan(training, **alignment):
        changed = copy.deepcopy(config)
        for name in (*training, "x", "y"):
            held_out = 0 if name in training else 1
            path = tmp_path / f"{name}.txt"
            path.write_text("some words of a text\n" * 2000)
            changed["corpora"][name] = {"source": "files", "paths": [str(path)], "held_out": held_out}
        first = changed["experiments"][0] | {"train_sets": list(training), "eval_sets": ["x", "y"]}
        changed["experiments"] = [{**first, "in_domain_for": {}, "tokens": [64]}]
        changed["recipes"]["from_scratch"]["tokens"] = [64]
        changed["alignment"] |= {"metrics": ["unigram_js", "task2vec"], **alignment}
        changed["switches"] = None
        return RunPlan(checked(changed))

    return plan


def names(count):
    return [f"c{number:03}" for number in range(count)]


def test_few_sets_are_one_job(plan_of):
    plan = plan_of(names(MOST_SETS - 3))
    assert len(plan.sets.names) == MOST_SETS and plan.alignment.blocks == {}
    assert plan.alignment.compared("unigram_js", "") == plan.sets.names
    assert plan.alignment.sources("") == [] and plan.alignment.joined == []
    jobs = planned_jobs(plan)
    assert (jobs["compare_sets"], jobs["join_blocks"]) == (2, 0)


def test_every_set_of_many_is_a_source_of_one_block_that_reads_all_targets_and_the_floor(plan_of):
    alignment = (plan := plan_of(names(2 * MOST_SETS))).alignment
    blocks = alignment.blocks
    assert sorted(name for sources in blocks.values() for name in sources) == plan.sets.names
    assert [len(sources) for sources in blocks.values()] == [MOST_SETS, MOST_SETS, 3]
    for block, sources in blocks.items():
        read = alignment.compared("unigram_js", block)
        assert set(read) == {*sources, "x.eval", "y.eval", plan.sets.floor}
        assert alignment.sources(block) == ["--sources", *sorted(sources)]
    jobs = planned_jobs(plan)
    assert (jobs["compare_sets"], jobs["join_blocks"]) == (6, 2)


def test_a_set_at_the_end_of_the_config_changes_only_the_last_block(plan_of):
    before = plan_of(names(MOST_SETS)).alignment.blocks
    after = plan_of([*names(MOST_SETS), "a_new_one"]).alignment.blocks
    changed = [block for block in after if after[block] != before.get(block)]
    assert changed == [list(after)[-1]]


def test_batches_as_small_as_the_smallest_set_need_to_see_all_sets(plan_of):
    plan = plan_of(names(MOST_SETS), fewer_rows=True)
    first = next(iter(plan.alignment.blocks))
    assert plan.alignment.compared("unigram_js", first) == plan.sets.names
    assert plan.alignment.compared("task2vec", first) != plan.sets.names

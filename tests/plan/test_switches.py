import copy

import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.run_plan import RunPlan


def plan_of(config) -> RunPlan:
    return RunPlan(checked(copy.deepcopy(config)))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "experiment",
            "pretrainin",
            "switches.experiment = pretrainin: unknown experiment; name one of pretraining",
        ),
        ("train_sets", ["sympy_pairs", "cpp_headers"], "switches.train_sets = sympy_pairs: unknown name"),
        ("eval_sets", ["sympy_pairs"], "switches.eval_sets = sympy_pairs: unknown name"),
        ("batches", 3, "switches.batches = 3: must be at least 4"),
    ],
)
def test_sets_of_switches_belong_to_the_experiment(config, key, value, message):
    config["switches"][key] = value
    with pytest.raises(UserError, match=message):
        checked(config)


def test_switches_can_be_left_out(config):
    assert "switches" in plan_of(config).report_tables
    config["switches"] = None
    plan = plan_of(config)
    assert plan.analysis.switch_rows("documents") == []
    assert "switches" not in plan.report_tables
    del config["switches"]
    assert plan_of(config).analysis.switch_tables == {}


def test_a_failed_measurement_leaves_the_page_without_switches(config, tmp_path):
    config["pathvars"] = {"results": str(tmp_path)}
    config["only_existing"] = True
    assert plan_of(config).analysis.switch_tables == {}
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis" / "switch_alignments.parquet").touch()
    assert list(plan_of(config).analysis.switch_tables) == ["switches"]


def test_both_sides_of_a_comparison_have_the_same_layout(config):
    plan = plan_of(config)
    documents = plan.analysis.switch_rows("documents")
    assert len(documents) == len(plan.analysis.switch_sets) == 6
    assert all(path.endswith(".documents.parquet") for path in documents)
    assert documents[1].endswith("tokens/library_docstrings/train.documents.parquet")
    assert plan.tokens.of_set("random_tokens.train", "documents").endswith("train.packed.parquet")

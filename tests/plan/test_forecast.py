import copy

from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.forecast import downloads, forecast, operations
from workflow_scripts.plan.run_plan import RunPlan


def plan_of(config) -> RunPlan:
    return RunPlan(checked(copy.deepcopy(config)))


def test_it_tells_jobs_time_disk_and_downloads(config):
    text = forecast(plan_of(config), {"train_models": 14, "build_corpus": 20}, cores=2)
    assert "jobs       34" in text
    assert "min on 2 cores" in text
    assert "downloads  none" in text


def test_work_grows_with_tokens_and_seeds(config):
    before = operations(plan_of(config))
    config["recipes"]["from_scratch"]["tokens"].append(524288)
    more = operations(plan_of(config))
    assert more["train_models"] > 1.3 * before["train_models"]
    assert more["train_probe"] == before["train_probe"]


def test_what_comes_from_the_hub_is_named(config):
    config["corpora"]["licences"] = {"source": "hub", "path": "somebody/texts", "held_out": 1}
    config["probe"]["model"] = {"pretrained": "gpt2"}
    assert downloads(plan_of(config)) == ["data set somebody/texts", "model gpt2"]


def test_a_folder_is_no_download(config, tmp_path):
    config["probe"]["model"] = {"pretrained": str(tmp_path)}
    assert downloads(plan_of(config)) == []

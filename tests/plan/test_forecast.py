import copy

import numpy as np
import pytest
from safetensors.numpy import save_file

from workflow_scripts.fisher.switches import variants
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.forecast import downloads, forecast, gpu_speeds, stage_costs
from workflow_scripts.plan.rules import STAGES
from workflow_scripts.plan.run_plan import RunPlan
from workflow_scripts.plan.work import (
    SWITCH_EMBEDDINGS,
    disk_bytes,
    model_weights,
    operations,
    planned_jobs,
    text_bytes,
)


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


def test_without_a_gpu_nothing_is_said_of_one(config):
    text = forecast(plan_of(config), None, cores=2)
    assert "GPU" not in text
    assert "for the report, with nothing made yet" in text


def test_gpu_hours_follow_from_the_work_of_the_stages(config):
    config["device"] = "cuda"
    config["gpu_hour_price"] = 2
    plan = plan_of(config)
    costs = stage_costs(plan, planned_jobs(plan))
    assert set(STAGES) == set(costs)
    for stage in ("training", "evaluation", "embeddings"):
        assert costs[stage].gpu_seconds > 0
    assert costs["corpora"].gpu_seconds == costs["tokens"].gpu_seconds == 0
    config["recipes"]["from_scratch"]["tokens"] = [10**13]
    config["experiments"][0]["tokens"] = config["experiments"][2]["tokens"] = [10**13]
    config["corpora"] = {
        name: {key: value for key, value in spec.items() if key != "limit_bytes"}
        for name, spec in config["corpora"].items()
    }
    long = plan_of(config)
    hours = stage_costs(long, planned_jobs(long))["training"].gpu_seconds / 3600
    flops = operations(long)["train_models"]
    assert (
        abs(hours - flops / (312e12 * 0.25) / 3600) < 0.1 * hours
    )  # bfloat16, as recipes on a GPU are by default
    text = forecast(long, None, cores=2)
    assert "25% of an A100" in text
    assert "at 2 an hour" in text
    assert "  training " in text


def gpu_seconds(config, rule):
    plan = plan_of({**config, "device": "cuda"})
    return operations(plan)[rule] / gpu_speeds(plan)[rule]


def test_the_forecast_has_the_speed_of_the_arithmetic_that_runs(config):
    """On an A100: float32 unless the config says otherwise, and always in evaluation."""
    usual = gpu_seconds(config, "embed_batches")
    assert gpu_seconds({**config, "precision": "float32"}, "embed_batches") == usual
    assert gpu_seconds({**config, "precision": "tf32"}, "embed_batches") == pytest.approx(usual / 8)
    assert gpu_seconds({**config, "precision": "bfloat16"}, "embed_batches") == pytest.approx(usual / 16)
    speeds = gpu_speeds(plan_of({**config, "device": "cuda"}))
    assert speeds["evaluate_models"] == speeds["measure_covariates"] == 0.25 * 19.5e12
    assert speeds["train_models"] == speeds["train_probe"] == 0.25 * 312e12
    for recipe in config["recipes"].values():
        recipe["precision"] = "float32"
    assert gpu_speeds(plan_of({**config, "device": "cuda"}))["train_models"] == pytest.approx(0.25 * 19.5e12)
    text = forecast(plan_of({**config, "device": "cuda"}), None, cores=2)
    assert "19.5 TFLOP/s in float32: train_models, evaluate_models" in text


def test_a_probe_in_a_folder_counts_with_its_own_weights(config, tmp_path):
    numbers = {"a": np.zeros((300, 200), np.float32), "b": np.zeros(7, np.float16)}
    save_file(numbers, tmp_path / "model-00001-of-00002.safetensors")
    save_file({"c": np.zeros((10, 4), np.float32)}, tmp_path / "model-00002-of-00002.safetensors")
    assert model_weights(plan_of(config), {"pretrained": str(tmp_path)}) == 60047
    assert model_weights(plan_of(config), {"pretrained": "gpt2"}) == 124e6


def test_a_rule_that_is_partly_to_run_costs_its_share(config, monkeypatch):
    monkeypatch.setattr("workflow_scripts.plan.forecast.matrix_speed", lambda: 1e11)  # of a machine at rest
    plan = plan_of(config)
    planned = planned_jobs(plan)
    whole = stage_costs(plan, {"embed_batches": planned["embed_batches"]})["embeddings"]
    half = stage_costs(plan, {"embed_batches": planned["embed_batches"] // 2})["embeddings"]
    assert 0.3 < half.cpu_seconds / whole.cpu_seconds < 0.7


def test_sizes_that_the_config_states_are_added_up(config):
    config["corpora"]["licences"] = {"source": "hub", "path": "somebody/texts", "held_out": 1}
    before = forecast(plan_of(config), None, cores=2)
    assert "about 0 MB, and 1 data sets or parts of unknown size: data set somebody" in before
    config["corpora"]["licences"]["download_mb"] = 70
    plan = plan_of(config)
    assert "downloads  about 70 MB: data set somebody/texts" in forecast(plan, None, cores=2)
    assert text_bytes(plan, "licences") == 70e6
    assert "download_mb" not in plan.corpora.spec_json("licences")


def test_more_models_take_more_disk(config):
    before = disk_bytes(plan_of(config))
    config["recipes"]["from_scratch"]["seeds"] = [0, 1, 2, 3, 4, 5]
    after = disk_bytes(plan_of(config))
    assert after["training"] > 1.4 * before["training"]
    assert after["corpora"] == before["corpora"]


def test_the_forecast_counts_the_variants_that_the_switches_embed():
    assert len({variant.embedded for variant in variants()}) == SWITCH_EMBEDDINGS

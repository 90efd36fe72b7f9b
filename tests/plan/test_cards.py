"""A local run starts as many jobs with a model as the machine has GPUs; a program stands for that of the driver."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from workflow_scripts.plan.cards import count_cards, wait_for_cards_without_cores
from workflow_scripts.plan.resources import RuleResources


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Puts GPUs into the machine."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    driver = tmp_path / "nvidia-smi"

    def with_cards(count, status=0):
        lines = "\n".join(f"GPU {index}: NVIDIA H100 (UUID: GPU-{index})" for index in range(count))
        driver.write_text(f"#!/bin/sh\necho '{lines}'\nexit {status}\n")
        driver.chmod(0o755)

    return with_cards


def test_the_driver_says_how_many_there_are(machine):
    machine(4)
    assert count_cards() == 4
    machine(3, status=9)  # no driver is running
    assert count_cards() == 0


@pytest.mark.parametrize(("visible", "cards"), [("0,2", 2), ("GPU-a", 1), ("", 0)])
def test_hidden_cards_do_not_count(machine, monkeypatch, visible, cards):
    machine(4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert count_cards() == cards


@pytest.mark.parametrize(
    ("is_local", "given", "cards"),
    [(True, {}, {"card": 2}), (False, {}, {}), (True, {"card": 1}, {"card": 1})],
)
def test_a_cluster_and_a_limit_of_ones_own_are_left_alone(machine, is_local, given, cards):
    machine(2)
    found = []
    resources = dict(given)
    workflow = SimpleNamespace(
        global_resources=resources,
        register_resource=resources.__setitem__,
        execute=lambda **given: found.append(dict(resources)),
    )
    wait_for_cards_without_cores(workflow)
    plugin = SimpleNamespace(common_settings=SimpleNamespace(local_exec=is_local))
    workflow.execute(executor_plugin=plugin)
    assert found == [cards]


def test_jobs_that_run_a_model_take_cards():
    ask = RuleResources({"train_models": {"gpu": 4}}, device="auto")
    assert [ask.all(rule)["card"] for rule in ("train_models", "embed_batches", "mix_rows")] == [4, 1, 0]
    assert RuleResources({"train_models": {"gpu": 4}}, device="cpu").all("train_models")["card"] == 0


def test_only_jobs_of_metrics_with_a_model_request_a_gpu():
    ask = RuleResources({"compare_sets": {"gpu": 1, "gpu_model": "a100", "slurm_partition": "gpu"}})
    asked = ask.all("compare_sets", lambda metric: metric == "hidden_state_cosine")
    of_model, of_text = (
        {key: value(metric) if callable(value) else value for key, value in asked.items() if key != "mem_mb"}
        for metric in ("hidden_state_cosine", "gzip_pairs")
    )
    assert (of_model["gpu"], of_model["gpu_model"], of_model["card"]) == (1, "a100", 1)
    assert (of_text["gpu"], of_text["gpu_model"], of_text["card"]) == (0, "", 0)
    assert of_text["slurm_partition"] == of_model["slurm_partition"] == "gpu"


def test_a_rule_without_a_gpu_of_its_own_computes_where_it_is():
    asked = {"measure_covariates": {"gpu": 1}}
    assert RuleResources(asked, device="cuda").device("measure_covariates") == "cuda"
    assert RuleResources({}, device="cuda").device("measure_covariates") == "auto"
    assert RuleResources({}, device="cpu").device("measure_covariates") == "cpu"


SNAKEFILE = """
from workflow_scripts.plan.cards import wait_for_cards_without_cores

wait_for_cards_without_cores(workflow)

rule all:
    input: "model.1", "model.2", "text"

rule model:
    output: "model.{number}"
    resources: card=1
    shell: "echo start model >> log; sleep 1; echo end model >> log; touch {output}"

rule text:
    output: "text"
    shell: "sleep 0.2; echo start text >> log; sleep 0.2; echo end text >> log; touch {output}"
"""


def test_while_a_job_waits_for_the_only_card_another_has_its_core(machine, root, tmp_path):
    machine(1)
    (tmp_path / "Snakefile").write_text(f"import sys; sys.path.insert(0, {str(root)!r})\n{SNAKEFILE}")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--scheduler", "greedy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "log").read_text().splitlines()
    models = [line for line in lines if line.endswith("model")]
    assert models == ["start model", "end model"] * 2
    assert lines.index("start text") < lines.index("end model")

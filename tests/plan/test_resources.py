"""What jobs ask for: defaults, what the config says instead, and what Slurm is asked for."""

import re
import subprocess
import sys
from math import ceil

import pytest
import yaml

from workflow_scripts.errors import UserError
from workflow_scripts.plan.after_failure import execution_options
from workflow_scripts.plan.resources import DEFAULTS, RuleResources


def test_every_rule_with_a_program_has_defaults(root):
    text = "".join(path.read_text() for path in (root / "rules").glob("*.smk"))
    assert set(re.findall(r'ask\.all\("(\w+)"[,)]', text)) == set(DEFAULTS)
    assert set(re.findall(r'ask\.cpus\("(\w+)"\)', text)) == set(DEFAULTS)


def test_memory_doubles_on_each_retry():
    mem_mb = RuleResources({"embed_batches": {"mem_mb": 500}}).all("embed_batches")["mem_mb"]
    assert [mem_mb(None, attempt) for attempt in (1, 2, 3)] == [500, 1000, 2000]


def test_by_default_nothing_waits_for_a_gpu_and_the_profile_chooses_the_partition():
    ask = RuleResources({})
    for rule in DEFAULTS:
        assert ask.all(rule)["gpu"] == 0
        assert not {"slurm_partition", "gres", "gpu_model", "tmpdir"} & ask.all(rule).keys()
    assert ask.local_rules == []


def test_what_the_config_says_reaches_slurm():
    asked = {
        "gpu": 2,
        "gpu_model": "a100",
        "slurm_partition": "gpu",
        "slurm_extra": "--exclude=n7",
        "runtime": 9,
    }
    ask = RuleResources({"train_models": {**asked, "threads": 3}, "build_corpus": {"local": True}})
    assert asked.items() <= ask.all("train_models").items()
    assert (ask.gpus("train_models"), ask.threads("train_models"), ask.cpus("train_models")) == (2, 3, 6)
    assert ask.local_rules == ["build_corpus"]


@pytest.mark.parametrize(
    ("gres", "gpus"), [("gpu", 1), ("gpu:4", 4), ("gpu:a100", 1), ("gpu:a100:2", 2), ("shard:3", 0)]
)
def test_gres_takes_the_place_of_gpu(gres, gpus):
    ask = RuleResources({"train_models": {"gres": gres}})
    assert ask.gpus("train_models") == gpus
    assert ask.all("train_models")["gres"] == gres
    assert "gpu" not in ask.all("train_models")


@pytest.mark.parametrize(
    ("rule", "asked", "message"),
    [
        ("train_model", {"gpu": 1}, "resources.train_model: unknown rule"),
        ("train_models", {"gpu": 1, "gres": "gpu:1"}, "either gres, or gpu with gpu_model"),
        ("train_models", {"gpu_model": "a100"}, "give the number of GPUs in gpu, too"),
        (
            "embed_batches",
            {"checkpoint_seconds": 5},
            "only rules that train have it: train_probe, train_models",
        ),
    ],
)
def test_mistakes_are_reported(rule, asked, message):
    with pytest.raises(UserError, match=re.escape(message)):
        RuleResources({rule: asked})


def test_scratch_is_a_folder_of_the_machine_that_runs_the_job(monkeypatch):
    monkeypatch.setenv("NODE_DISK", "/disk7")
    tmpdir = RuleResources({}, "$NODE_DISK/tmp").all("embed_batches")["tmpdir"]
    assert tmpdir(None) == "/disk7/tmp"


def test_the_page_of_a_failed_run_is_made_where_the_run_was():
    given = [
        "report",
        "--workflow-profile",
        "profiles/slurm",
        "-j",
        "9",
        "-c4",
        "--keep-going",
        "--configfile",
        "x",
    ]
    options = ["--workflow-profile", "profiles/slurm", "--jobs", "9", "--cores", "4"]
    assert execution_options(given) == options
    assert execution_options(["--profile=site", "-n"]) == ["--profile", "site"]
    triggers = ["--rerun-triggers", "mtime", "params"]
    assert execution_options(["report", *triggers]) == triggers
    assert execution_options(["report"]) == execution_options([]) == []
    of_slurm = ["--slurm-requeue", "--slurm-status-command", "squeue", "--slurm-logdir=logs"]
    assert execution_options(["report", *of_slurm, "--nolock"]) == of_slurm


def dry_run(root, tmp_path, overlay):
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--workflow-profile",
        "profiles/slurm",
        "--dry-run",
        "--forceall",
    ]
    command += ["--configfile", overlay, "--config", f"pathvars={{results: {tmp_path}}}"]
    command += ["--nolock"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def test_the_paper_makes_at_most_a_few_hundred_jobs_of_slurm_and_short_ones_are_grouped(root, tmp_path):
    output = dry_run(root, tmp_path, "configs/paper.yaml")
    alone = re.findall(r"^(?:local)?rule (\w+):", output, flags=re.MULTILINE)
    groups = re.findall(r"Group job (\w+)", output)
    assert 100 < len(alone) + len(groups) <= 300
    seconds_each = {"tokenize_corpus", "mix_rows", "draw_random_rows", "evaluate_models"}
    seconds_each |= {"collect_alignment", "score_ngrams", "collect_ngram_losses"}
    seconds_each |= {"correlate_losses", "choose_data", "weigh_switches", "describe_run", "render_report"}
    assert not seconds_each & set(alone)
    assert alone.count("embed_batches") == ceil(33 / 8) + ceil(31 / 8)
    assert groups.count("analysis") == 1
    resources = yaml.safe_load((root / "configs" / "paper.yaml").read_text())["resources"]
    assert RuleResources(resources).local_rules == ["build_corpus", "make_tokenizer", "train_probe"]


def test_the_documentation_names_every_key(root):
    text = (root / "profiles" / "README.md").read_text()
    schema = yaml.safe_load((root / "schemas" / "config.schema.yaml").read_text())
    keys = schema["properties"]["resources"]["additionalProperties"]["properties"]
    assert [key for key in keys if f"`{key}`" not in text] == []

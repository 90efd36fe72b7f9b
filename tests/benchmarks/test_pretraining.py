"""The experiment for a GPU: what configs/gpu.yaml plans, and a tiny one run on a CPU."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from benchmarks import pretraining
from benchmarks.pretraining import N_GRAM, KneserNeyOfRun, Plan, Work
from workflow_scripts.errors import UserError
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.run_plan import RunPlan

WORDS = {name: [f"{name}{number}" for number in range(80)] for name in "ab"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two corpora of few words; their held-out parts and a third set are evaluated."""
    random = np.random.default_rng(0)
    for name, words in {**WORDS, "c": WORDS["a"]}.items():
        lines = [json.dumps({"text": " ".join(random.choice(words, 40))}) for _ in range(60)]
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    settings = {"n_layer": 1, "n_embd": 16, "n_head": 2, "n_positions": 128}
    recipe = {"model": {"type": "gpt2", "settings": settings}, "tokens": [1500], "epochs": 2, "seeds": [0, 1]}
    text = {"source": "files", "text": "text"}
    made = {
        "tokenizer": {"vocabulary": 300, "corpora": ["a", "b"]},
        "evaluation": {"tokens": 200, "stride": 64},
        "recipes": {"tiny": {**recipe, "context": 128, "batch_rows": 4}},
        "experiments": [{"recipe": "tiny", "train_sets": ["a", "b"], "eval_sets": ["a", "b", "c"]}],
        "corpora": {
            "c": {**text, "paths": "c.jsonl.gz", "held_out": 1, "disjoint_from": ["a"]},
            "a": {**text, "paths": "a.jsonl.gz", "held_out": 0.2},
            "b": {**text, "paths": "b.jsonl.gz", "held_out": 0.2},
        },
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(made))
    return path


def options(config: Path, folder: Path, *more: str) -> list[str]:
    named = [
        "--corpora-folder",
        str(config.parent),
        "--work",
        str(folder / "work"),
        "--output",
        str(folder / "out"),
    ]
    return ["--config", str(config), *named, "--device", "cpu", "--threads", "1", *more]


def test_a_tiny_experiment_is_run_and_taken_up_again(config: Path, tmp_path: Path) -> None:
    pretraining.main(options(config, tmp_path, "--minutes", "1e-9"))
    assert not (tmp_path / "out" / "losses.csv").exists()  # no time for any run
    pretraining.main(options(config, tmp_path))
    losses = pd.read_csv(tmp_path / "out" / "losses.csv")
    assert list(losses.columns) == ["train_set", "eval_set", "loss", "model", "tokens", "seed"]
    assert len(losses) == 2 * 2 * 3 * 2  # training sets, seeds, evaluation sets, models
    assert set(losses["model"]) == {"transformer", N_GRAM}
    assert set(losses["tokens"]) == {1500}
    assert losses["loss"].between(0, 20).all()
    table = losses[losses["model"] == N_GRAM].groupby(["train_set", "eval_set"])["loss"].mean()
    assert table["a", "a"] < table["b", "a"] and table["b", "b"] < table["a", "b"]
    mixtures = pd.read_csv(tmp_path / "out" / "mixtures.csv")
    assert mixtures.to_dict("list") == {"train_set": ["a", "b"], "corpus": ["a", "b"], "share": [1.0, 1.0]}

    # Where the runs go on, the corpora need not be.
    shutil.rmtree(tmp_path / "work" / "corpora")
    (tmp_path / "a.jsonl.gz").unlink()
    kept = (tmp_path / "work" / "losses" / "a.seed-0.json").stat().st_mtime_ns
    (tmp_path / "work" / "losses" / "b.seed-1.json").unlink()
    pretraining.main(options(config, tmp_path))
    assert (tmp_path / "work" / "losses" / "a.seed-0.json").stat().st_mtime_ns == kept
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "losses.csv"), losses)

    changed = yaml.safe_load(config.read_text())
    changed["recipes"]["tiny"]["epochs"] = 3
    config.write_text(yaml.safe_dump(changed))
    with pytest.raises(UserError, match="has the work of another config"):
        pretraining.main(options(config, tmp_path))


def test_the_n_gram_model_reads_the_tokens_of_the_run(config: Path, tmp_path: Path) -> None:
    plan = Plan.of(yaml.safe_load(config.read_text()), config.parent)
    work = Work(plan, tmp_path / "work", "cpu", 1)
    work.prepare()
    assert KneserNeyOfRun(work, "a", 0).tokens == 1500


def test_corpora_that_others_are_disjoint_from_come_first(config: Path) -> None:
    plan = Plan.of(yaml.safe_load(config.read_text()), Path("/folder"))
    assert list(plan.corpora) == ["a", "b", "c"]
    assert plan.corpora["c"]["paths"] == ["/folder/c.jsonl.gz"]
    assert plan.runs == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]


def test_the_experiment_for_the_gpu_has_six_sources_three_seeds_and_a_model_of_its_size(root: Path) -> None:
    made = yaml.safe_load((root / "configs" / "gpu.yaml").read_text())
    plan = Plan.of(made, Path("/folder"))
    assert len(plan.train_sets) == 6 and plan.seeds == [0, 1, 2] and len(plan.runs) == 18
    assert set(plan.train_sets) < set(plan.eval_sets)
    assert plan.evaluation["stride"] == 128 and plan.evaluation["context"] == 256
    files = [path for name in plan.train_sets for path in plan.corpora[name]["paths"]]
    assert len(set(files)) == len(files)  # no two of them share text
    settings = plan.recipe["model"]["settings"]
    weights = 12 * settings["n_layer"] * settings["n_embd"] ** 2 + plan.vocabulary * settings["n_embd"]
    assert 20e6 < weights < 50e6
    # Forward and backward passes of all runs, at a fifth of an H100's 800 TFLOP/s, leave half of 25 minutes.
    seconds = 6 * weights * plan.recipe["tokens"][0] * plan.recipe["epochs"] * len(plan.runs) / (0.2 * 8e14)
    assert seconds < 25 * 60 / 2


def test_the_workflow_plans_the_same_runs(root: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_SHARED", str(shared))
    config = load_configfile(str(root / "config.yaml"))
    update_config(config, load_configfile(str(root / "configs" / "gpu.yaml")))
    planned = RunPlan(checked(config))
    plan = Plan.of(yaml.safe_load((root / "configs" / "gpu.yaml").read_text()), shared / "corpora")
    own = json.loads(planned.training.recipe_json("from_scratch", "pubmed"))
    assert own | plan.recipe == own
    assert planned.training.recipe("from_scratch")["seeds"] == plan.seeds
    assert set(planned.corpora.needed) == {*plan.corpora, "random_tokens"}


def test_every_file_of_the_experiment_is_there_and_they_can_be_carried(root: Path, shared: Path) -> None:
    plan = Plan.of(yaml.safe_load((root / "configs" / "gpu.yaml").read_text()), shared / "corpora")
    files = {path for spec in plan.corpora.values() for path in spec["paths"]}
    assert sum(Path(path).stat().st_size for path in files) < 60 * 2**20


def test_nothing_is_imported_that_a_gpu_machine_may_lack() -> None:
    lacking = ("snakemake", "datasets", "altair", "vl_convert", "jsonschema", "playwright", "hypothesis")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({lacking!r}))\n"
        "import benchmarks.pretraining, workflow_scripts.corpora.sources.files\n"
        "from workflow_scripts.training import engine, evaluation, schedule\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)

import json
import subprocess
import sys

import numpy as np
import pytest

from workflow_scripts import train_models
from workflow_scripts.command_line import set_threads
from workflow_scripts.errors import UserError
from workflow_scripts.models.digests import weights_digest
from workflow_scripts.models.loading import load_model
from workflow_scripts.storage.revision import commit
from workflow_scripts.storage.tables import read_json
from workflow_scripts.tokens.rows import Rows, write_rows
from workflow_scripts.tokens.tokenizer import train_tokenizer

set_threads(1)
RECIPE = {
    "model": {"type": "gpt2", "settings": {"n_embd": 16, "n_layer": 1, "n_head": 2}},
    "tokens": [256, 512],
    "layout": "packed",
    "context": 16,
    "batch_rows": 4,
}


@pytest.fixture
def run_job(tmp_path):
    train_tokenizer(["a boat on the water"] * 9, 270).save_pretrained(tmp_path / "tokenizer")
    ids = np.random.default_rng(0).integers(1, 200, (40, 16)).astype(np.int32)
    names = [f"r{i}" for i in range(40)]
    rows = Rows(
        names, [[name] for name in names], ids, np.full(40, 16, np.int32), np.ones(ids.shape, dtype=bool)
    )
    write_rows(rows, tmp_path / "rows.parquet")

    def run(out, *more, seeds=(0, 1), **changes):
        out = tmp_path / out
        train_models.main(
            [
                *("--rows", str(tmp_path / "rows.parquet"), "--train-set", "toy", "--device", "cpu"),
                *("--recipe", json.dumps({**RECIPE, **changes}), "--seeds", *map(str, seeds)),
                *("--tokenizer", str(tmp_path / "tokenizer"), "--checkpoints", str(out / "checkpoints")),
                *("--models", str(out / "models"), "--manifest", str(out / "manifest.json")),
                *("--times", str(out / "times.json"), *more),
            ]
        )
        return out

    return run


def test_a_job_writes_models_and_lists_them_the_same_every_time(run_job, tmp_path):
    out = run_job("a")
    manifest = read_json(out / "manifest.json")
    assert [(m["train_set"], m["seed"], m["tokens"], m["tokens_seen"]) for m in manifest["models"]] == [
        ("toy", seed, tokens, tokens) for seed in (0, 1) for tokens in (256, 512)
    ]
    for model in manifest["models"]:
        assert model["path"] == f"models/seed-{model['seed']}/tokens-{model['tokens']}"
        assert model["weights_sha256"] == weights_digest(out / model["path"])
    assert len({model["weights_sha256"] for model in manifest["models"]}) == 4
    assert manifest["commit"] == commit() and manifest["device"] == "cpu" and manifest["seeds"] == [0, 1]
    assert manifest["recipe"]["schedule"] == "constant" and "torch" in manifest["libraries"]
    assert str(tmp_path) not in (out / "manifest.json").read_text()
    assert (out / "manifest.json").read_bytes() == (run_job("b") / "manifest.json").read_bytes()
    assert [set(run) for run in read_json(out / "times.json")] == [
        {"seed", "tokens", "steps", "seconds", "tokens_per_second", "reused"}
    ] * 2
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "models", "times.json"]


def test_a_base_is_where_training_starts(run_job):
    base = run_job("base", seeds=[0]) / "models/seed-0/tokens-512"
    tuned = run_job("tuned", "--base", str(base), seeds=[0], model={"base": "probe"}, tokens=[64], epochs=2)
    before, after = (load_model(folder).state_dict() for folder in (base, tuned / "models/seed-0/tokens-64"))
    moved = max(float((before[name] - after[name]).abs().max()) for name in before)
    assert 0 < moved < 0.02
    with pytest.raises(UserError, match=r"there is no folder of base weights \(--base\)"):
        run_job("none", model={"base": "probe"})


def test_too_little_data_leaves_nothing_behind(run_job, tmp_path):
    with pytest.raises(UserError, match="'toy' has 640 tokens in 40 rows of 16, but the recipe needs 641"):
        run_job("small", tokens=[64, 641])
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize("program", ["train_models", "train_probe", "evaluate_models", "collect_losses"])
def test_help_is_quick(program):
    code = (
        f"import sys, workflow_scripts.{program} as p; p.build_parser().format_help(); "
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

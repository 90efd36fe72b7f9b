import json

import numpy as np
import pytest

from workflow_scripts import train_probe
from workflow_scripts.command_line import set_threads
from workflow_scripts.errors import UserError
from workflow_scripts.models.digests import weights_digest
from workflow_scripts.models.loading import load_model
from workflow_scripts.storage.tables import read_json
from workflow_scripts.tokens.rows import Rows, write_rows
from workflow_scripts.tokens.tokenizer import train_tokenizer

set_threads(1)
MODEL = {"type": "gpt2", "settings": {"n_embd": 16, "n_layer": 1, "n_head": 2}}


@pytest.fixture
def run_job(tmp_path):
    train_tokenizer(["a boat on the water"] * 9, 270).save_pretrained(tmp_path / "tokenizer")
    files = []
    for corpus, low in (("low", 1), ("high", 100)):
        ids = np.random.default_rng(0).integers(low, low + 50, (40, 16)).astype(np.int32)
        names = [f"r{i}" for i in range(40)]
        mask = np.ones(ids.shape, dtype=bool)
        files.append(tmp_path / corpus / "train.packed.parquet")
        write_rows(Rows(names, [[name] for name in names], ids, np.full(40, 16, np.int32), mask), files[-1])

    def run(out, *more, model=MODEL, rows=files, **settings):
        out = tmp_path / out
        train_probe.main(
            [
                *("--rows", *map(str, rows), "--model", json.dumps(model), "--seed", "3", "--device", "cpu"),
                *(
                    "--settings",
                    json.dumps({"context": 16, "batch_rows": 4, "learning_rate": 0.02, **settings}),
                ),
                *("--tokenizer", str(tmp_path / "tokenizer"), "--checkpoints", str(out / "checkpoints")),
                *("--output", str(out / "probe"), "--manifest", str(out / "probe/manifest.json")),
                *("--times", str(out / "times.json"), *more),
            ]
        )
        return out

    return run


def test_the_probe_reads_all_corpora_and_can_be_loaded(run_job):
    out = run_job("a", "--tokens", "1001", schedule="cosine")
    probe = load_model(out / "probe")
    frequent = probe(input_ids=probe.dummy_inputs["input_ids"] % 150).logits.mean((0, 1)).detach().numpy()
    read = np.r_[1:51, 100:150]
    assert frequent[read].mean() > np.delete(frequent, read).mean() + 0.5
    assert abs(frequent[1:51].mean() - frequent[100:150].mean()) < 0.2
    manifest = read_json(out / "probe/manifest.json")
    assert manifest["corpora"] == ["low", "high"] and manifest["seeds"] == [3]
    assert manifest["models"] == [
        {"seed": 3, "tokens": 1001, "weights_sha256": weights_digest(out / "probe")}
    ]
    assert not (out / "checkpoints").exists()


def test_pretrained_weights_are_copied(run_job):
    trained = run_job("a", "--tokens", "64") / "probe"
    copied = run_job("b", model={"pretrained": str(trained)}, rows=[]) / "probe"
    assert weights_digest(copied) == weights_digest(trained)
    assert read_json(copied / "manifest.json")["weights_sha256"] == weights_digest(trained)
    assert {file.suffix for file in copied.iterdir()} == {".json", ".safetensors"}


def test_what_a_probe_cannot_be_is_refused(run_job):
    with pytest.raises(UserError, match="a probe that is trained needs token rows"):
        run_job("a", "--tokens", "64", rows=[])
    with pytest.raises(UserError, match="one pass over packed rows in shuffled order"):
        run_job("a", "--tokens", "64", epochs=2)
    with pytest.raises(UserError, match="tokens is"):
        run_job("a")

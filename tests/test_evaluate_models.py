import json

import pandas as pd
import pytest

from workflow_scripts import evaluate_models
from workflow_scripts.command_line import set_threads
from workflow_scripts.errors import UserError
from workflow_scripts.models import digests
from workflow_scripts.models.digests import weights_digest
from workflow_scripts.models.folders import copy_model, save_model
from workflow_scripts.models.fresh import new_model
from workflow_scripts.storage import content_store, folders
from workflow_scripts.storage.tables import read_frame, read_json, write_json, write_table
from workflow_scripts.tokens.tokenizer import load_tokenizer, train_tokenizer

set_threads(1)
MODEL = {"type": "gpt2", "settings": {"n_embd": 16, "n_layer": 1, "n_head": 2}}


@pytest.fixture
def run_job(tmp_path):
    """Evaluate untrained models, listed by two manifests."""
    train_tokenizer(["a boat on the water"] * 9, 270).save_pretrained(tmp_path / "tokenizer")
    tokenizer = load_tokenizer(str(tmp_path / "tokenizer"))
    documents = pd.DataFrame(
        {
            "doc_id": ["a", "b", "c", "d"],
            "split": ["eval", "train", "eval", "eval"],
            "text": ["a boat on the water", "water", "on the water", "the boat"],
            "prompt": [None, None, "on the ", None],
            "completion": [None, None, "water", None],
        }
    )
    write_table(documents, tmp_path / "documents.parquet")
    for train_set in ("x", "y"):
        listed = []
        for seed in (0, 1):
            path = f"models/seed-{seed}/tokens-64"
            folder = tmp_path / train_set / path
            save_model(new_model(MODEL, tokenizer, 16, seed + 10 * (train_set == "y")), folder)
            weights = weights_digest(folder)
            listed.append(
                {"train_set": train_set, "seed": seed, "tokens": 64, "path": path, "weights_sha256": weights}
            )
        write_json({"models": listed}, tmp_path / train_set / "manifest.json")

    def run(name, *more, train_sets=("x",), **settings):
        settings = {"context": 16, "stride": 8, **settings}
        evaluate_models.main(
            [
                *("--documents", str(tmp_path / "documents.parquet"), "--split", "eval", "--eval-set", "z"),
                *("--manifests", *(str(tmp_path / train_set / "manifest.json") for train_set in train_sets)),
                *("--tokenizer", str(tmp_path / "tokenizer"), "--settings", json.dumps(settings)),
                *("--store", str(tmp_path / "store"), "--output", str(tmp_path / name), "--device", "cpu"),
                *("--times", str(tmp_path / "times.json"), *more),
            ]
        )
        times = read_json(tmp_path / "times.json")
        return tmp_path / name, (times["computed"], times["reused"])

    return run


def test_an_added_model_costs_its_own_evaluation_alone(run_job):
    first, counts = run_job("a")
    assert counts == (2, 0)
    both, counts = run_job("b", train_sets=("y", "x"))
    assert counts == (2, 2)
    again, counts = run_job("c", train_sets=("x", "y"))
    assert counts == (0, 4)
    assert both.read_bytes() == again.read_bytes()
    table = read_frame(both)
    pd.testing.assert_frame_equal(table[table["train_set"] == "x"].reset_index(drop=True), read_frame(first))


def test_changed_settings_or_documents_are_computed_anew(run_job):
    run_job("a")
    assert run_job("b", stride=4)[1] == (2, 0)
    assert run_job("c", "--split", "train")[1] == (2, 0)


def test_the_table_has_every_model_document_and_part(run_job, tmp_path):
    base = tmp_path / "x/models/seed-0/tokens-64"
    table = read_frame(run_job("a", "--base", str(base))[0])
    assert list(table.columns) == [
        *("train_set", "eval_set", "part", "tokens", "seed", "doc_id", "nll", "n_tokens", "n_bytes")
    ]
    assert len(table) == 3 * (3 + 1)
    assert set(zip(table["train_set"], table["tokens"], table["seed"], strict=True)) == {
        *(("none", 0, 0), ("x", 64, 0), ("x", 64, 1))
    }
    assert set(table.loc[table["part"] == "answer", "doc_id"]) == {"c"}
    losses = table.set_index(["train_set", "seed", "part", "doc_id"])["nll"]
    assert losses.loc["none", 0].equals(losses.loc["x", 0]) and not losses.loc["x", 0].equals(
        losses.loc["x", 1]
    )
    untrained = table["nll"] / table["n_tokens"]
    assert untrained.between(5.3, 5.9).all()  # Near the logarithm of the vocabulary, 270.


def test_the_first_document_alone(run_job):
    table = read_frame(run_job("a", documents="first", parts=["whole"])[0])
    assert set(table["doc_id"]) == {"a"} and set(table["part"]) == {"whole"}


def test_only_the_budgets_asked_for_are_scored(run_job):
    everything, _ = run_job("a", "--budgets", "64")
    assert set(read_frame(everything)["tokens"]) == {64}
    with pytest.raises(UserError, match=r"--budgets \[32\]: the manifests list no model"):
        run_job("b", "--budgets", "32", train_sets=("x", "y"))


@pytest.fixture
def digested(monkeypatch):
    """Names of the files that are read for their checksum, in order."""
    names = []

    def noted(path):
        names.append(f"{path.parent.parent.name}/{path.name}")
        return content_store.file_digest(path)

    for module in (folders, digests):
        monkeypatch.setattr(module, "file_digest", noted)
    return names


def test_weights_are_read_for_their_checksum_once_and_not_for_stored_losses(run_job, digested):
    first, _ = run_job("a")
    weights = [name for name in digested if name.endswith("safetensors")]
    assert weights == ["seed-0/model.safetensors", "seed-1/model.safetensors"]
    digested.clear()
    again, counts = run_job("b")
    assert counts == (0, 2) and not [name for name in digested if name.endswith("safetensors")]
    assert again.read_bytes() == first.read_bytes()


def test_damaged_weights_are_refused_before_a_loss_is_computed(run_job, tmp_path):
    weights = tmp_path / "x/models/seed-1/tokens-64/model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match=r"seed-1/tokens-64/model.safetensors is damaged"):
        run_job("a")
    assert not (tmp_path / "a").exists()


def test_an_undamaged_model_in_place_of_another_is_refused(run_job, tmp_path):
    """Both folders agree with their own checksums, but not with the manifest."""
    run_job("a")
    copy_model(tmp_path / "y/models/seed-0/tokens-64", tmp_path / "x/models/seed-0/tokens-64")
    with pytest.raises(UserError, match="has other weights than its manifest says"):
        run_job("b")

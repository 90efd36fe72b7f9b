import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from workflow_scripts.measure_covariates import main
from workflow_scripts.tokens.rows import Rows, write_rows

LENGTH, VOCABULARY = 12, 30


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("probe")
    config = GPT2Config(vocab_size=VOCABULARY, n_positions=LENGTH, n_embd=8, n_layer=1, n_head=1)
    config.bos_token_id = config.eos_token_id = 0
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def sets(tmp_path):
    """Low tokens in documents of three rows, all tokens in documents of one row, noise without documents."""
    rng = np.random.default_rng(0)
    made = {
        "low.train": (rng.integers(0, 10, (24, LENGTH)), [[f"document-{i // 3}"] for i in range(24)]),
        "all.train": (rng.integers(0, 20, (20, LENGTH)), [[f"document-{i}"] for i in range(20)]),
        "noise.train": (rng.integers(0, VOCABULARY, (16, LENGTH)), [[] for _ in range(16)]),
    }
    paths = {}
    for name, (ids, doc_ids) in made.items():
        names = [f"{name}/{i}" for i in range(len(ids))]
        full = np.full(len(ids), LENGTH, dtype=np.int32)
        paths[name] = tmp_path / f"{name}.parquet"
        write_rows(
            Rows(names, doc_ids, ids.astype(np.int32), full, np.ones(ids.shape, dtype=bool)), paths[name]
        )
    return {name: ids for name, (ids, _) in made.items()}, paths


def measure(tmp_path, probe, paths, output="covariates.parquet"):
    sets = [f"--set={name}={path}" for name, path in paths.items()]
    options = ["--batches=4", "--rows-per-batch=4", "--seed=0", f"--store={tmp_path / 'store'}"]
    main([*sets, f"--model={probe}", *options, f"--output={tmp_path / output}"])
    return pq.read_table(tmp_path / output).to_pandas().set_index(["source", "target"])


def test_covariates_are_what_they_say(tmp_path, probe, sets):
    ids, paths = sets
    table = measure(tmp_path, probe, paths)
    assert len(table) == 9
    assert table.loc[("low.train", "low.train"), "token_jaccard"] == 1
    assert table.loc[("low.train", "all.train"), "token_jaccard"] == pytest.approx(10 / 20)
    row = table.loc[("low.train", "all.train")]
    assert (row["source_document_length"], row["target_document_length"]) == (3 * LENGTH, LENGTH)
    assert row["source_tokens"] == 24 * LENGTH
    assert np.isnan(table.loc[("noise.train", "low.train"), "source_document_length"])
    assert 2.2 < row["source_entropy"] < np.log(10)

    noise = torch.tensor(ids["noise.train"])  # 4 batches of 4 rows are all of its 16 rows
    model = GPT2LMHeadModel.from_pretrained(probe).eval()
    with torch.no_grad():
        expected = model(input_ids=noise, labels=noise).loss.item()
    assert table.loc[("low.train", "noise.train"), "zero_shot_loss"] == pytest.approx(expected, rel=1e-5)


def test_a_second_run_reads_no_weights_and_gives_the_same_file(tmp_path, probe, sets, monkeypatch):
    _, paths = sets
    measure(tmp_path, probe, paths)
    monkeypatch.setattr("workflow_scripts.metrics.covariates.load_reader", None)
    measure(tmp_path, probe, paths, "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "covariates.parquet").read_bytes()

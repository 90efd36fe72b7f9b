"""More rows of the same sets: sizes are nested, and pooled Fisher information is that of all the rows."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from workflow_scripts import align_by_rows, embed_batches
from workflow_scripts.errors import UserError
from workflow_scripts.fisher.embedding import embed
from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.metrics.rows_curve import first_rows, pooled_batches
from workflow_scripts.storage.tables import read_frame, read_json
from workflow_scripts.tokens.batches import batch_indices
from workflow_scripts.tokens.rows import Rows, read_rows, write_rows
from workflow_scripts.tokens.tokenizer import train_tokenizer

LENGTH, VOCABULARY, SEED = 12, 60, 3
SIZES = {"one.train": 40, "two.train": 40, "one.eval": 20}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny probe, and three sets of which one is small; some rows are padded."""
    folder = tmp_path_factory.mktemp("rows_curve")
    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=1, n_embd=16, n_head=2, vocab_size=VOCABULARY, n_positions=16, bos_token_id=0, eos_token_id=0
    )
    GPT2LMHeadModel(config).save_pretrained(folder / "probe")
    train_tokenizer(["ends with token 0"], 257).save_pretrained(folder / "tokenizer")
    generator = np.random.default_rng(0)
    for name, count in SIZES.items():
        n_tokens = generator.integers(5, LENGTH + 1, count).astype(np.int32)
        mask = np.arange(LENGTH) < n_tokens[:, None]
        ids = generator.integers(1, VOCABULARY, (count, LENGTH)).astype(np.int32) * mask
        names = [f"{name}/{i}" for i in range(count)]
        write_rows(Rows(names, [[row] for row in names], ids, n_tokens, mask), folder / f"{name}.parquet")
    return folder


def embed_set(folder: Path, output: Path, name: str, batches: int, beside: Path | None = None) -> Path:
    """The embeddings of rows in `folder` by the probe there, or in the folder `beside`."""
    rows, folder = folder, beside or folder
    options = {
        "set": f"{name}={rows / f'{name}.parquet'}",
        "model": folder / "probe",
        "tokenizer": folder / "tokenizer",
        "estimator": '{"name": "corrected"}',
        "batches": batches,
        "rows-per-batch": 8,
        "head-epochs": 0,
        "sampling": "disjoint",
        "seed": SEED,
        "store": folder / "store",
        "output": output,
        "times": output,
        "device": "cpu",
    }
    words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
    embed_batches.main([*words, "--fewer-batches"])
    return output / f"{name}.parquet"


def test_rows_of_a_smaller_number_are_the_first_of_a_larger_one(folder: Path) -> None:
    take = first_rows({"one.train": folder / "one.train.parquet"}, SEED, None)
    ids = {}
    for rows in (8, 24, 40, 100):
        batch, seconds = take("one.train", rows)
        assert batch.rows is not None and seconds == 0
        ids[rows] = batch.rows.row_ids
    assert ids[8] == ids[24][:8] and ids[24] == ids[40][:24]
    assert len(ids[40]) == 40 and ids[100] == ids[40]  # no more than there are


def test_pooled_batches_are_the_fisher_information_of_all_their_rows(folder: Path, tmp_path: Path) -> None:
    path = embed_set(folder, tmp_path, "one.train", 3)
    seconds = read_json(tmp_path / "one.train.json")["batches"]
    batch, spent = pooled_batches({"one.train": path}, {"one.train": seconds})("one.train", 24)
    rows = read_rows(folder / "one.train.parquet")
    (index,) = batch_indices(len(rows), 1, 24, SEED)
    all_rows = rows.take(index)
    expected = embed(
        GPT2LMHeadModel.from_pretrained(folder / "probe"),
        torch.from_numpy(all_rows.input_ids),
        torch.from_numpy(all_rows.attention_mask),
        Estimator.corrected(),
        seed=SEED,
        row_ids=all_rows.row_ids,
    )
    np.testing.assert_allclose(batch.embedding, expected.numpy(), rtol=2e-5)
    assert (batch.n_rows, batch.n_tokens) == (24, all_rows.n_tokens.sum())
    assert spent == pytest.approx(sum(seconds))


def test_more_batches_find_the_first_ones_in_the_store(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    embed_set(folder, tmp_path, "two.train", 2)
    caplog.set_level(logging.INFO)
    embed_set(folder, tmp_path, "two.train", 5)
    assert caplog.text.count("found in the store") == 2
    assert len(read_frame(tmp_path / "two.train.parquet")) == 5
    embed_set(folder, tmp_path, "one.eval", 5)
    assert len(read_frame(tmp_path / "one.eval.parquet")) == 2  # 20 rows hold two batches of 8


def curve(folder: Path, output: Path, metric: str, **paths: Path) -> list[str]:
    files = {name: folder / f"{name}.parquet" for name in SIZES} | paths
    return [
        *("--metric", metric, "--model", str(folder / "probe"), "--tokenizer", str(folder / "tokenizer")),
        *(f"--source={name}={path}" for name, path in files.items() if name.endswith("train")),
        *(f"--target={name}={path}" for name, path in files.items() if name.endswith("eval")),
        *("--rows", "8", "32", "--seed", str(SEED), "--store", str(output / "store")),
        *("--output", str(output / "curve.parquet"), "--cost", str(output / "cost.parquet")),
    ]


@pytest.mark.parametrize("metric", ["unigram_js", "ngram_whole", "hidden_state_cosine"])
def test_every_source_meets_every_target_and_says_how_many_rows_it_gave(
    folder: Path, tmp_path: Path, metric: str
) -> None:
    align_by_rows.main(curve(folder, tmp_path, metric))
    table = read_frame(tmp_path / "curve.parquet")
    assert table[["source", "target", "rows", "source_rows", "target_rows"]].to_numpy().tolist() == [
        [source, "one.eval", rows, rows, min(rows, 20)]
        for rows in (8, 32)
        for source in ("one.train", "two.train")
    ]
    assert np.isfinite(table["alignment"]).all() and table["alignment"].nunique() == 4
    cost = read_frame(tmp_path / "cost.parquet")
    assert sorted(zip(cost["set"], cost["rows"], strict=True)) == sorted(
        (name, rows) for name in SIZES for rows in (8, 32)
    )
    assert (cost["seconds"] > 0).all()


def test_fisher_measures_compare_pooled_embeddings_and_count_their_seconds(
    folder: Path, tmp_path: Path
) -> None:
    paths = {name: embed_set(folder, tmp_path, name, 4) for name in SIZES}
    seconds = {name: read_json(tmp_path / f"{name}.json")["batches"] for name in SIZES}
    times = [f"--times={name}={tmp_path / name}.json" for name in SIZES]
    with pytest.raises(UserError, match=r"--times lacks one\.eval"):
        align_by_rows.main(curve(folder, tmp_path, "task2vec_roots", **paths))
    align_by_rows.main([*curve(folder, tmp_path, "task2vec_roots", **paths), *times])
    table = read_frame(tmp_path / "curve.parquet").set_index(["source", "rows"])
    take = pooled_batches(paths, seconds)
    roots = {
        (name, rows): np.sqrt(take(name, rows)[0].embedding.astype(float))
        for name in SIZES
        for rows in (8, 32)
    }
    for (source, rows), row in table.iterrows():
        a, b = roots[source, rows], roots["one.eval", rows]
        assert row["alignment"] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), rel=1e-5)
    assert table.loc[("one.train", 32), ["source_rows", "target_rows"]].tolist() == [32, 16]
    cost = read_frame(tmp_path / "cost.parquet").set_index(["set", "rows"])["seconds"]
    assert cost["one.train", 8] > seconds["one.train"][0]
    assert cost["one.train", 32] > sum(seconds["one.train"])


def test_the_same_rows_on_both_sides_have_no_value(folder: Path, tmp_path: Path) -> None:
    align_by_rows.main(curve(folder, tmp_path, "unigram_js", **{"two.eval": folder / "two.train.parquet"}))
    table = read_frame(tmp_path / "curve.parquet")
    assert not ((table["source"] == "two.train") & (table["target"] == "two.eval")).any()
    assert len(table) == 6


def test_rows_that_are_no_whole_batch_are_refused(folder: Path, tmp_path: Path) -> None:
    path = embed_set(folder, tmp_path, "one.train", 2)
    with pytest.raises(UserError, match="batches have 8 rows, so 4 rows are no whole number"):
        pooled_batches({"one.train": path}, {"one.train": [1.0, 1.0]})("one.train", 4)


def test_a_set_with_too_few_rows_for_a_batch_is_left_out_with_a_warning(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = read_rows(folder / "two.train.parquet")
    write_rows(rows.take(np.arange(5)), tmp_path / "few.train.parquet")
    (tmp_path / "few").mkdir()
    small = {"two.train": embed_set(tmp_path, tmp_path / "few", "few.train", 4, beside=folder)}
    others = {name: embed_set(folder, tmp_path, name, 4) for name in ("one.train", "one.eval")}
    paths = others | small
    times = [f"--times={name}={path.with_suffix('.json')}" for name, path in paths.items()]
    align_by_rows.main([*curve(folder, tmp_path, "task2vec_roots", **paths), *times])
    table = read_frame(tmp_path / "curve.parquet")
    assert set(table["source"]) == {"one.train"} and len(table) == 2
    assert "two.train" not in set(read_frame(tmp_path / "cost.parquet")["set"])
    assert "32 rows: two.train is left out" in caplog.text

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from workflow_scripts import compare_sets
from workflow_scripts.errors import UserError
from workflow_scripts.mix_alignment import main
from workflow_scripts.storage.tables import write_table
from workflow_scripts.tokens.rows import Rows, write_rows
from workflow_scripts.tokens.tokenizer import train_tokenizer

LENGTH, N_ROWS = 16, 40
WORDS = ["a mixture of words", "some other rows of text", "the third corpus, unlike both"]


@pytest.fixture
def tokenizer(tmp_path):
    folder = tmp_path / "tokenizer"
    train_tokenizer(WORDS * 5, 300).save_pretrained(folder)
    return folder


@pytest.fixture
def sets(tmp_path):
    """Train and evaluation sides of two corpora, and random tokens."""
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, 61)
    paths = {}
    for name, shift in (("one.train", 0), ("one.eval", 0), ("two.train", 20), ("two.eval", 20)):
        ids = (rng.choice(60, size=(N_ROWS, LENGTH), p=weights / weights.sum()) + shift) % 60
        paths[name] = write(ids, tmp_path / f"{name}.parquet")
    paths["random.train"] = write(rng.integers(60, size=(N_ROWS, LENGTH)), tmp_path / "random.train.parquet")
    return paths


def write(ids, path):
    names = [f"{path.stem}/{i}" for i in range(len(ids))]
    n_tokens = np.full(len(ids), LENGTH, dtype=np.int32)
    write_rows(
        Rows(names, [[name] for name in names], ids.astype(np.int32), n_tokens, np.ones(ids.shape, bool)),
        path,
    )
    return path


@pytest.fixture
def mixtures(tmp_path):
    path = tmp_path / "mixtures.parquet"
    records = [("pure", "two", 1.0), ("half", "one", 0.5), ("half", "two", 0.5)]
    write_table(pd.DataFrame(records, columns=["train_set", "corpus", "share"]), path)
    return path


def shared(tmp_path, metric, tokenizer):
    return [
        f"--metric={metric}",
        f"--store={tmp_path / 'store'}",
        f"--tokenizer={tokenizer}",
        "--batches=4",
        "--rows-per-batch=8",
        "--seed=0",
    ]


@pytest.fixture
def mixed(tmp_path, sets, mixtures, tokenizer):
    def of(metric, **changed):
        named = {
            "part": {"one": "one.train", "two": "two.train"},
            "target": {"one": "one.eval", "two": "two.eval"},
        }
        named |= changed
        main(
            [
                *shared(tmp_path, metric, tokenizer),
                *(f"--{o}={name}={sets[path]}" for o, paths in named.items() for name, path in paths.items()),
                f"--mixtures={mixtures}",
                f"--output={tmp_path / 'mixed.parquet'}",
            ]
        )
        return pq.read_table(tmp_path / "mixed.parquet").to_pandas().set_index(["train_set", "eval_set"])

    return of


@pytest.fixture
def compared(tmp_path, sets, tokenizer):
    def of(metric):
        compare_sets.main(
            [
                *shared(tmp_path, metric, tokenizer),
                *(f"--set={name}={path}" for name, path in sets.items() if name != "random.train"),
                f"--floor=random.train={sets['random.train']}",
                f"--output={tmp_path / 'all.parquet'}",
                f"--cost={tmp_path / 'cost.parquet'}",
            ]
        )
        return pq.read_table(tmp_path / "all.parquet").to_pandas().set_index(["source", "target"])

    return of


HOW = {
    "unigram_js": "mixed rows",
    "tfidf_cosine": "mixed rows",
    "ngram_cross_entropy": "mixed rows",
    "gzip_pairs": "mean of parts",
    "ngram_whole": "mixture of experts",
}


@pytest.mark.parametrize("metric", HOW)
def test_a_mixture_of_one_part_has_its_alignment_and_interval(metric, mixed, compared):
    table, pairs = mixed(metric), compared(metric)
    assert list(table.columns) == ["metric", "alignment", "ci_low", "ci_high", "how"]
    assert list(table.index) == [
        (mixture, target) for mixture in ("half", "pure") for target in ("one", "two")
    ]
    assert set(table["metric"]) == {metric} and set(table["how"]) == {HOW[metric]}
    for target in ("one", "two"):
        for column in ("alignment", "ci_low", "ci_high"):
            expected = pairs.loc[("two.train", f"{target}.eval"), column]
            assert table.loc[("pure", target), column] == pytest.approx(expected)
    assert table.loc[("half", "one"), "alignment"] > table.loc[("pure", "one"), "alignment"]


def test_a_mean_of_parts_is_their_mean(mixed, compared):
    table, pairs = mixed("gzip_pairs"), compared("gzip_pairs")
    expected = pairs.loc[[("one.train", "one.eval"), ("two.train", "one.eval")], "alignment"].mean()
    assert table.loc[("half", "one"), "alignment"] == pytest.approx(expected)


def test_rows_of_a_part_are_no_target(mixed):
    with pytest.raises(UserError, match="is both a part and the target one"):
        mixed("unigram_js", target={"one": "one.train"})


def test_a_part_that_is_not_given_is_named(mixed):
    with pytest.raises(UserError, match="mixes two, which is not among the parts"):
        mixed("unigram_js", part={"one": "one.train"})


def test_whole_sets_do_not_read_themselves(compared):
    """A set reads its own batches worse than another sample of the same text at most by chance."""
    pairs = compared("ngram_whole")
    itself, other = (pairs.loc[(source, "one.eval")] for source in ("one.eval", "one.train"))
    assert itself["ci_low"] < other["alignment"] and itself["alignment"] < other["ci_high"]
    assert (pairs["n_source_batches"] == 1).all() and (pairs["n_target_batches"] == 4).all()
    assert other["floor"] < other["alignment"]


def test_a_target_with_too_few_rows_is_left_out_with_a_warning(mixed, sets, tmp_path, caplog):
    whole = mixed("unigram_js")
    few = np.random.default_rng(1).integers(60, size=(20, LENGTH))
    sets["few.eval"] = write(few, tmp_path / "few.eval.parquet")
    table = mixed("unigram_js", target={"one": "one.eval", "few": "few.eval", "two": "two.eval"})
    pd.testing.assert_frame_equal(table, whole)
    assert "few is left out" in caplog.text
    with pytest.raises(UserError, match="the set has 20"):
        mixed("unigram_js", target={"few": "few.eval"})


def test_a_part_with_too_few_rows_is_an_error(mixed, sets, tmp_path):
    few = np.random.default_rng(1).integers(60, size=(20, LENGTH))
    sets["few.train"] = write(few, tmp_path / "few.train.parquet")
    with pytest.raises(UserError, match="the set has 20"):
        mixed("unigram_js", part={"one": "one.train", "two": "few.train"})

"""Rows of a pool, samples of it, and the scorer fitted on them."""

import gzip
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from tests.pool.conftest import legal, medical, write_lines
from workflow_scripts.errors import UserError
from workflow_scripts.pool import importance, rows, sampling
from workflow_scripts.pool.rows import PoolEntry, RowStream, row_number
from workflow_scripts.pool.sampling import sampled_texts
from workflow_scripts.texts.progress import Progress
from workflow_scripts.texts.words import find_words

TEXTS = [f"row number {number} of the pool" for number in range(3000)]


def write(folder, name, texts=TEXTS):
    path = folder / name
    frame = pd.DataFrame({"text": texts, "kind": ["odd" if n % 2 else "even" for n in range(len(texts))]})
    if name.endswith(".parquet"):
        frame.to_parquet(path)
    elif "csv" in name:
        frame.to_csv(path, index=False)
    else:
        lines = frame.to_json(orient="records", lines=True).encode()
        path.write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    return path


def opened(path, **spec):
    return PoolEntry.opened("mine", {"source": "files", "paths": [str(path)], **spec})


FORMATS = ["a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.gz", "a.parquet"]


@pytest.mark.parametrize("name", FORMATS)
def test_all_rows_are_read_with_name_and_columns(tmp_path, name, monkeypatch):
    monkeypatch.setattr(rows, "BATCH_BYTES", 5000)
    entry = opened(write(tmp_path, name))
    stream = RowStream(entry, entry.files)
    batches = list(stream.batches())
    assert len(batches) > 10 and all(batch.bytes < 6000 for batch in batches)
    assert [text.decode() for batch in batches for text in batch.texts] == TEXTS
    assert [one for batch in batches for one in batch.names] == [f"{name}#{n}" for n in range(len(TEXTS))]
    assert batches[0].rows[1] == {"text": TEXTS[1], "kind": "odd"}
    assert stream.bytes_read() == entry.bytes() and not stream.skipped


def test_what_is_left_out_is_counted(tmp_path):
    lines = [{"text": "a", "n": 1}, {"text": " ", "n": 1}, {"text": "b", "n": 2}, {"text": "\ud800", "n": 1}]
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in [*lines, {"text": None, "n": 1}])
    )
    entry = opened(tmp_path / "a.jsonl", where={"n": 1})
    stream = RowStream(entry, entry.files)
    assert [batch.names for batch in stream.batches()] == [["a.jsonl#0"]]
    assert stream.skipped == {rows.NOT_ADMITTED: 1, rows.NO_TEXT: 2, rows.NOT_UNICODE: 1}


def test_skip_and_documents_count_over_all_files(tmp_path):
    write(tmp_path, "a.jsonl", TEXTS[:10])
    write(tmp_path, "b.csv", TEXTS[10:20])
    entry = opened(tmp_path / "*", skip=8, documents=4)
    names = [name for batch in RowStream(entry, entry.files).batches() for name in batch.names]
    assert entry.is_limited and names == ["a.jsonl#8", "a.jsonl#9", "b.csv#0", "b.csv#1"]


def test_pairs_and_text_files_are_rows(tmp_path):
    (tmp_path / "a.txt").write_text("a text")
    (tmp_path / "b.jsonl").write_text('{"q": "why", "a": "so"}\n')
    (stream,) = RowStream(opened(tmp_path / "a.txt"), opened(tmp_path / "a.txt").files).batches()
    assert (stream.names, stream.texts) == (["a.txt"], [b"a text"])
    entry = opened(tmp_path / "b.jsonl", prompt="q", completion="a")
    assert next(RowStream(entry, entry.files).batches()).texts == [b"why\nso"]
    assert row_number("a.txt") == 0 and row_number("x/b#2.jsonl#17") == 17


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"source": "hub", "path": "a/b"}, "pool mine: its source is 'hub'"),
        (
            {"source": "files", "paths": ["nowhere/*.jsonl"]},
            r"pool mine: .*no file matches 'nowhere/\*\.jsonl'",
        ),
        ({"source": "files", "paths": ["x"], "joined_rows": 2}, "pool mine: joined_rows"),
    ],
)
def test_an_entry_that_cannot_be_a_pool_is_refused(spec, message):
    with pytest.raises(UserError, match=message):
        PoolEntry.opened("mine", spec)


@pytest.mark.parametrize("name", [*FORMATS, "a.txt"])
def test_a_sample_is_spread_over_the_pool(tmp_path, name, monkeypatch):
    monkeypatch.setattr(sampling, "_BLOCK", 500)
    monkeypatch.setattr(sampling, "_SLICE_ROWS", 5)
    monkeypatch.setattr(sampling, "_UNPACKED", {})
    if name == "a.txt":
        for number, text in enumerate(TEXTS):
            (tmp_path / f"{number}.txt").write_text(text)
    else:
        write(tmp_path, name)
    entry = opened(tmp_path / "*")
    sample = list(sampled_texts([entry], seed=3, wanted=entry.bytes() // 5))
    numbers = np.array([int(text.split()[2]) for text in sample])
    assert len(numbers) == pytest.approx(600, abs=150)
    assert len(set(numbers.tolist())) == len(numbers)
    assert np.histogram(numbers, bins=4, range=(0, 3000))[0].min() > 80
    assert list(sampled_texts([entry], seed=3, wanted=entry.bytes() // 5)) == sample
    assert list(sampled_texts([entry], seed=4, wanted=entry.bytes() // 5)) != sample
    assert Counter(sampled_texts([entry], seed=3, wanted=10**9)) == Counter(text.encode() for text in TEXTS)


def test_long_rows_are_neither_missed_nor_preferred(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "_BLOCK", 200)
    texts = ["long " * 2000 if number % 3 == 0 else "short" for number in range(900)]
    entry = opened(write_lines(tmp_path / "a.jsonl", texts))
    sample = [len(text) for seed in range(40) for text in sampled_texts([entry], seed, entry.bytes() // 10)]
    assert np.mean(np.array(sample) > 100) == pytest.approx(1 / 3, abs=0.05)
    assert len(sample) == pytest.approx(40 * 90, rel=0.15)


def encoded(texts):
    return [text.encode() for text in texts]


def test_the_sum_of_a_text_is_that_of_its_ngrams():
    scorer = importance.fit(encoded(medical(40)), encoded(medical(100, 1) + legal(100, 1)))
    texts = [*encoded(medical(5, 2)), b"", b"one", *encoded(legal(5, 2))]
    sums, counts = scorer.sums(find_words(texts))
    for text, total, count in zip(texts, sums, counts, strict=True):
        words = text.split()
        grams = [*words, *(b" ".join(words[n : n + 2]) for n in range(len(words) - 1))]
        by_hand = [scorer.sums(find_words([gram]))[0][0] for gram in words]
        pairs = [scorer.sums(find_words([gram]))[0][0] for gram in grams[len(words) :]]
        pair_parts = sum(by_hand[n] + by_hand[n + 1] for n in range(len(words) - 1))
        assert count == len(grams) and total == sum(by_hand) + sum(pairs) - pair_parts
    assert (scorer.sums(find_words(texts[::-1]))[0][::-1] == sums).all()


def test_texts_of_the_targets_domain_score_higher():
    pool = encoded(medical(200, 1) + legal(800, 1))
    scorer = importance.fit(encoded(medical(40)), pool)
    sums, counts = scorer.sums(find_words(pool))
    mean = sums / counts
    assert mean[:200].min() > mean[200:].max()


def test_a_target_like_the_pool_is_smoothed_to_the_pool():
    """Half of such a target says little of the other half that the pool does not say better."""
    pool = encoded(legal(2000, 1, length=100))
    assert importance.fit(encoded(legal(6, 3, length=30)), pool).mass > 4
    assert importance.fit(encoded(medical(100, 3)), pool).mass < 0.2


def test_progress_is_logged_every_ten_seconds(caplog):
    times = iter([0.0, 4.0, 10.0, 12.0, 300.0])
    progress = Progress("pool", 4_000_000, lambda: next(times))
    with caplog.at_level("INFO"):
        for at in (100_000, 1_000_000, 1_200_000, 2_000_000):
            progress.at(at)
    assert caplog.messages == [
        "pool: 1 of 4 MB read, 0.1 MB/s, about 30 s left",
        "pool: 2 of 4 MB read, 0.0067 MB/s, about 5 min left",
    ]

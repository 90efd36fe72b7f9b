"""The program that chooses rows of a pool."""

import datetime
import gzip
import json
import os
import random
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext

import pandas as pd
import pytest
import torch
import yaml
from datasets import load_dataset
from transformers import GPT2Config, GPT2LMHeadModel

from tests.pool.conftest import legal, medical, write_lines, write_target
from workflow_scripts import select_rows
from workflow_scripts.errors import UserError
from workflow_scripts.models.folders import save_model
from workflow_scripts.pool import best_rows, reading, selection
from workflow_scripts.select_rows import main
from workflow_scripts.storage.tables import read_frame, read_json, write_json
from workflow_scripts.tokens.tokenizer import train_tokenizer

OWN = ["row_id", "source", "source_row", "source_file", "score", "rank"]
TARGET = medical(40, seed=7)


@pytest.fixture
def target(tmp_path):
    return write_target(tmp_path / "documents.parquet", TARGET)


@pytest.fixture
def pool(tmp_path):
    """Two entries: medical rows among legal ones, with copies and leaks, in all formats."""
    (tmp_path / "pool").mkdir()
    rows = legal(60) + medical(20) + [TARGET[0]] + [f"{medical(1)[0]} and more", medical(20)[3].upper()]
    random.Random(0).shuffle(rows)
    write_lines(tmp_path / "pool" / "a.jsonl", rows[:40], kind="news")
    with gzip.open(tmp_path / "pool" / "b.jsonl.gz", "wt") as stream:
        stream.writelines(json.dumps({"text": text, "rank": 5, "kind": 1}) + "\n" for text in rows[40:])
    frame = pd.DataFrame({"body": legal(20, 2) + medical(10, 2), "year": range(30)})
    frame.to_csv(tmp_path / "c.csv", index=False)
    both = {"source": "files", "paths": [str(tmp_path / "pool" / "*")]}
    table = {"source": "files", "paths": [str(tmp_path / "c.csv")], "text": "body", "licence": "CC0-1.0"}
    return {"both": both, "table": table}


def choose(
    folder, pool, target, tokens=2000, output="chosen.parquet", processes=1, names=None, split="eval", more=()
):
    entries = [part for name in names or pool for part in ("--pool", f"{name}={json.dumps(pool[name])}")]
    budget = [
        "--tokens",
        str(tokens),
        "--sizes",
        str(folder / "sizes.json"),
        "--size-of",
        "goal.eval",
        "--seed",
        "0",
        "--processes",
        str(processes),
    ]
    write_json({"goal.eval": {"bytes_per_token": 4.5}}, folder / "sizes.json")
    outputs = ["--output", str(folder / output), "--card", str(folder / "README.md")]
    outputs += ["--summary", str(folder / "summary.json"), "--scratch", str(folder / "scratch")]
    main([*entries, "--target", str(target), "--split", split, *budget, *outputs, *more])
    return read_json(folder / "summary.json")


def test_rows_of_the_targets_domain_are_chosen(tmp_path, pool, target):
    summary = choose(tmp_path, pool, target, tokens=2000)
    rows = read_frame(tmp_path / "chosen.parquet")
    assert list(rows)[:6] == OWN and rows["rank"].tolist() == list(range(1, len(rows) + 1))
    assert rows["score"].is_monotonic_decreasing and (rows["score"] > 0).all()
    texts = rows["text"].fillna(rows["body"]).str.lower()
    assert set(texts) <= {*medical(20), *medical(10, 2), f"{medical(1)[0]} and more"}
    assert len(set(texts)) == len(texts)
    chosen_bytes = texts.str.len()
    assert chosen_bytes.sum() >= 2000 * 4.5 > chosen_bytes[:-1].sum()
    assert summary["chosen"]["rows"] == len(rows) and summary["is_full"] and summary["passes"] == 1
    assert summary["rows"] == 83 + 30 and summary["leaks"] == {"rows": 1, "target_rows": 1}
    assert sum(one["chosen_rows"] for one in summary["sources"].values()) == len(rows)
    assert summary["scores"]["pool"]["0.5"] < 0 < summary["scores"]["chosen"]["0.5"]
    assert not list((tmp_path / "scratch").iterdir())


def test_all_rows_but_copies_and_leaks_are_chosen_from_a_small_pool(tmp_path, pool, target, caplog):
    summary = choose(tmp_path, pool, target, tokens=10**6)
    rows = read_frame(tmp_path / "chosen.parquet")
    assert len(rows) == 113 - 1 - 2 and summary["duplicates"] == {"equal": 1, "near": 1}
    assert not summary["is_full"] and "fewer than the 1,000,000 requested" in summary["notes"][0]
    assert summary["notes"][0] in caplog.text
    nearer = rows[rows["score"] > 0]
    tokens = nearer["text"].fillna(nearer["body"]).str.len().sum() / 4.5
    assert summary["notes"][1].startswith(
        f"{len(rows) - len(nearer)} of the chosen rows have a score of 0 or less"
    )
    assert f"a budget of {round(tokens):,} tokens leaves them out" in summary["notes"][1]
    at_end = rows[rows["source"] == "table"].sort_values("source_row")
    assert at_end["year"].tolist() == [str(n) for n in range(30)] and at_end["kind"].isna().all()
    assert at_end["row_id"].tolist() == [f"c.csv#{n}" for n in range(30)]
    zipped = rows[rows["source_file"] == "b.jsonl.gz"]
    assert zipped["original_rank"].tolist() == [5] * len(zipped) and set(zipped["kind"]) == {"1"}
    assert "Columns whose types differ between rows are text: kind." in summary["notes"]


def test_the_same_rows_whatever_the_order_and_the_processes(tmp_path, pool, target):
    written = []
    for number, (names, processes) in enumerate([(["both", "table"], 1), (["table", "both"], 2)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        choose(folder, pool, target, names=names, processes=processes)
        written.append([(folder / name).read_bytes() for name in ("chosen.parquet", "README.md")])
    assert written[0] == written[1]


@pytest.mark.parametrize("output", ["chosen.parquet", "chosen.jsonl"])
def test_chosen_rows_are_a_data_set(tmp_path, pool, target, output, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    summary = choose(tmp_path, pool, target, output=output)
    loader = "json" if output.endswith("jsonl") else "parquet"
    cache = str(tmp_path / "cache")
    rows = load_dataset(loader, data_files=str(tmp_path / output), split="train", cache_dir=cache)
    assert len(rows) == summary["chosen"]["rows"] and rows.column_names[:6] == OWN
    card = (tmp_path / "README.md").read_text()
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["configs"][0]["data_files"][0]["path"] == output
    assert f'load_dataset("{loader}", data_files="{output}"' in card
    assert "| table | 30 |" in card and "CC0-1.0" in card and "not stated" in card


def test_columns_of_any_type_are_kept(tmp_path, target):
    when = datetime.datetime(2020, 1, 2, 3)
    frame = pd.DataFrame(
        {"text": medical(4), "when": when, "raw": b"\0\1", "tags": [["a"], [], ["b", "c"], None]}
    )
    frame.to_parquet(tmp_path / "a.parquet")
    lines = [{"text": text, "meta": {"n": n}, "none": None, "empty": {}} for n, text in enumerate(legal(3))]
    lines[1]["meta"] = {"other": [1.5, float("nan")]}
    lines += [{"text": legal(9)[n], "mixed": value, "large": 2**70} for n, value in [(7, 1), (8, {"a": "ü"})]]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    pool = {"all": {"source": "files", "paths": [str(tmp_path / "[ab].*")]}}
    choose(tmp_path, pool, target, tokens=10**6)
    rows = read_frame(tmp_path / "chosen.parquet").set_index("row_id")
    assert (
        rows.loc["a.parquet#2", "tags"].tolist() == ["b", "c"] and rows.loc["a.parquet#0", "raw"] == b"\0\1"
    )
    assert rows.loc["a.parquet#0", "when"] == when
    assert rows.loc["b.jsonl#2", "meta"]["n"] == 2 and rows.loc["b.jsonl#1", "meta"]["other"][0] == 1.5
    assert rows.loc["b.jsonl#4", "mixed"] == '{"a": "ü"}' and rows.loc["b.jsonl#3", "mixed"] == "1"
    assert rows.loc["b.jsonl#3", "large"] == str(2**70) and rows.loc["b.jsonl#0", "empty"] == "{}"
    choose(tmp_path, pool, target, tokens=10**6, output="chosen.jsonl")
    lines = {
        row["row_id"]: row for row in map(json.loads, (tmp_path / "chosen.jsonl").read_text().splitlines())
    }
    assert lines["a.parquet#0"]["raw"] == "AAE=" and lines["a.parquet#0"]["when"] == str(when)
    assert lines["b.jsonl#1"]["meta"]["other"] == [1.5, None] and lines["b.jsonl#0"]["none"] is None


def test_the_pool_is_read_again_where_most_of_the_best_are_copies(tmp_path, target, monkeypatch, caplog):
    monkeypatch.setattr(best_rows, "_LEAST_HELD", 1)
    monkeypatch.setattr(best_rows.BestRows.__init__, "__defaults__", (1,))
    copies = [f"{medical(1)[0]} {tail}" for tail in medical(30, 3, length=20)]
    write_lines(tmp_path / "a.jsonl", copies + legal(100))
    pool = {"all": {"source": "files", "paths": [str(tmp_path / "a.jsonl")]}}
    summary = choose(tmp_path, pool, target, tokens=1000)
    assert summary["passes"] > 1 and summary["is_full"] and summary["duplicates"]["near"] == 29
    assert "keeping 8 times the budget" in caplog.text


def test_rows_of_a_limited_entry_are_those_of_the_corpus(tmp_path, pool, target):
    pool["both"] |= {"skip": 10, "documents": 5}
    summary = choose(tmp_path, {"both": pool["both"]}, target, tokens=10**6, processes=2)
    assert summary["rows"] == 5
    assert sorted(read_frame(tmp_path / "chosen.parquet")["source_row"]) == list(range(10, 15))


CASES = [
    ({"paths": ["nowhere/*"]}, None, r"pool mine: files corpus: no file matches 'nowhere/\*'"),
    (
        {"text": "body"},
        legal(3),
        r"pool mine: row a.jsonl#0 has no column 'body'; its columns are text",
    ),
    ({}, [], "pool: its files have no rows"),
    ({}, TARGET, "every row of the pool repeats a row of the target"),
    ({}, b"\x80\x81", "pool mine: files corpus: a.jsonl is not UTF-8 text"),
    ({}, b'{"text": "a"}\n{"text": \n', "pool mine: files corpus: a.jsonl line 2 is not JSON"),
]


@pytest.mark.parametrize(("spec", "content", "message"), CASES)
def test_a_pool_that_cannot_be_read_is_one_sentence(tmp_path, target, spec, content, message):
    if isinstance(content, bytes):
        (tmp_path / "a.jsonl").write_bytes(content)
    elif content is not None:
        write_lines(tmp_path / "a.jsonl", content)
    pool = {"mine": {"source": "files", "paths": [str(tmp_path / "*.jsonl")], **spec}}
    with pytest.raises(UserError, match=message) as caught:
        choose(tmp_path, pool, target)
    assert "\n" not in str(caught.value)
    left = {path.name for path in tmp_path.iterdir()} - {"a.jsonl", "documents.parquet", "sizes.json"}
    assert left <= {"scratch"} and not list(tmp_path.glob("scratch/*"))


def test_a_line_that_only_a_process_sees_is_one_sentence(tmp_path, pool, target, monkeypatch):
    """The sample may pass over a broken line; the pass does not."""
    monkeypatch.setattr(
        selection, "sampled_texts", lambda entries, seed: [text.encode() for text in legal(50)]
    )
    with (tmp_path / "pool" / "a.jsonl").open("a") as stream:
        stream.write("{\n")
    with pytest.raises(UserError, match=r"pool both: files corpus: a.jsonl line 41 is not JSON"):
        choose(tmp_path, pool, target, processes=2)
    assert not (tmp_path / "chosen.parquet").exists() and not list(tmp_path.glob("scratch/*"))


def test_a_killed_process_is_one_sentence(tmp_path, pool, target, monkeypatch):
    class Killed(ProcessPoolExecutor):
        def submit(self, *arguments):
            return super().submit(os._exit, 9)

    monkeypatch.setattr(reading, "ProcessPoolExecutor", Killed)
    with pytest.raises(UserError, match="a process that read the pool was killed"):
        choose(tmp_path, pool, target, processes=2)
    assert not list(tmp_path.glob("scratch/*"))


def test_what_makes_no_sense_is_refused(tmp_path, pool, target):
    with pytest.raises(UserError, match=r"tokens \(0\)"):
        choose(tmp_path, pool, target, tokens=0)
    with pytest.raises(UserError, match=r"chosen.csv: .*\.parquet or \.jsonl"):
        choose(tmp_path, pool, target, output="chosen.csv")
    with pytest.raises(UserError, match="two entries of the pool have the same name"):
        choose(tmp_path, pool, target, names=["both", "both"])
    with pytest.raises(UserError, match="the train side of the target has 0 words"):
        choose(tmp_path, pool, target, split="train")


class ByVowels:
    """A second score that has nothing to do with the first."""

    rule = "share of the letter a"

    def score(self, text):
        return text.count(b"a") / len(text)


@pytest.fixture
def by_vowels(monkeypatch):
    """Runs the program with this second score of a shortlist."""

    def run(budgets, *given, **options):
        fitted = []

        def fit(target, pool):
            fitted.append((len(target), len(pool)))
            return ByVowels()

        shortlist = selection.Shortlist(fit, budgets)
        monkeypatch.setattr(select_rows, "_shortlist", lambda arguments: nullcontext(shortlist))
        summary = choose(*given, **options)
        assert fitted == [(40, summary["rows"])]
        return summary

    return run


def test_a_second_score_orders_the_shortlist_and_no_other_row(tmp_path, target, by_vowels):
    (tmp_path / "pool").mkdir()
    write_lines(tmp_path / "pool" / "a.jsonl", [*medical(40), *legal(40), TARGET[0]])
    pool = {"both": {"source": "files", "paths": [str(tmp_path / "pool" / "*")]}}
    choose(tmp_path, pool, target, tokens=4000)
    first = read_frame(tmp_path / "chosen.parquet")
    summary = by_vowels(2, tmp_path, pool, target, tokens=2000)
    rows = read_frame(tmp_path / "chosen.parquet")
    assert set(rows["row_id"]) < set(first["row_id"])
    texts = rows["text"]
    assert rows["score"].tolist() == [ByVowels().score(text.encode()) for text in texts]
    assert rows["score"].is_monotonic_decreasing
    left = [text for text in first["text"] if text not in set(texts)]
    assert max(map(ByVowels().score, map(str.encode, left))) <= rows["score"].min()
    assert summary["rules"]["score"].startswith("share of the letter a, among the best 2 budgets of text by")
    assert list(summary["scores"]) == ["chosen"] and summary["notes"] == []
    assert summary["leaks"]["rows"] == 1 and not set(texts) & set(TARGET)


def test_the_second_score_is_the_same_whatever_the_order_and_the_processes(tmp_path, pool, target, by_vowels):
    written = []
    for number, (names, processes) in enumerate([(["both", "table"], 1), (["table", "both"], 2)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        by_vowels(3, folder, pool, target, names=names, processes=processes)
        written.append([(folder / name).read_bytes() for name in ("chosen.parquet", "README.md")])
    assert written[0] == written[1]


def test_a_shortlist_of_near_copies_is_read_again_with_more_room(tmp_path, target, by_vowels):
    (tmp_path / "pool").mkdir()
    row = medical(1)[0]
    write_lines(tmp_path / "pool" / "a.jsonl", [f"{row} {n}" for n in range(40)] + legal(73))
    pool = {"both": {"source": "files", "paths": [str(tmp_path / "pool" / "*")]}}
    summary = by_vowels(1, tmp_path, pool, target, tokens=500)
    assert summary["passes"] > 1 and summary["is_full"]


@pytest.fixture(scope="module")
def by_probe(tmp_path_factory):
    """Options that order a shortlist by the Fisher information of a small probe."""
    folder = tmp_path_factory.mktemp("probe")
    tokenizer = train_tokenizer([*legal(50), *medical(50)], 400)
    tokenizer.save_pretrained(folder / "tokenizer")
    torch.manual_seed(0)
    config = GPT2Config(n_layer=1, n_embd=16, n_head=2, vocab_size=len(tokenizer), n_positions=24)
    save_model(GPT2LMHeadModel(config), folder / "model")
    return [
        *("--second-score", "fisher", "--model", str(folder / "model"), "--length", "24", "--shortlist", "2"),
        *(
            "--tokenizer",
            str(folder / "tokenizer"),
            "--estimator",
            '{"name": "corrected"}',
            "--device",
            "cpu",
        ),
    ]


def test_fisher_information_orders_the_shortlist(tmp_path, pool, target, by_probe):
    choose(tmp_path, pool, target, tokens=4000)
    shortlist = read_frame(tmp_path / "chosen.parquet")
    summary = choose(tmp_path, pool, target, tokens=2000, more=by_probe)
    rows = read_frame(tmp_path / "chosen.parquet")
    assert set(rows["row_id"]) < set(shortlist["row_id"])
    assert rows["score"].is_monotonic_decreasing and not set(rows["score"]) & set(shortlist["score"])
    assert "among the best 2 budgets of text by" in summary["rules"]["score"]


def test_a_second_score_without_its_options_is_refused(tmp_path, pool, target, monkeypatch):
    parser = select_rows.build_parser()
    monkeypatch.setattr(select_rows, "build_parser", lambda: parser)
    parser.set_defaults(second_score="fisher", model=tmp_path / "probe", tokenizer=tmp_path / "tokenizer")
    with pytest.raises(
        UserError, match="--second-score needs --model, --tokenizer, --estimator and --length"
    ):
        choose(tmp_path, pool, target)

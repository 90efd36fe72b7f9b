"""The two programs of n-gram losses: what one writes the other puts into a table."""

import json

import numpy as np
import pandas as pd
import pytest

from workflow_scripts import collect_ngram_losses, score_ngrams
from workflow_scripts.ngrams.kneser_ney import KneserNey
from workflow_scripts.storage.tables import read_frame, write_table
from workflow_scripts.tokens.rows import Rows, read_rows, write_rows
from workflow_scripts.tokens.tokenizer import load_tokenizer, train_tokenizer
from workflow_scripts.training.recipe import Recipe
from workflow_scripts.training.tokens_read import tokens_read

RECIPE = {"model": {"type": "gpt2"}, "layout": "packed", "tokens": [30, 50], "context": 8, "batch_rows": 2}
EXPERIMENT = {
    "name": "one",
    "kind": "pretraining",
    "recipe": "small",
    "train_sets": ["x"],
    "eval_sets": ["y", "z"],
    "tokens": [50],
}
TEXT = "a boat on the water, the boat"


@pytest.fixture
def scored(tmp_path):
    train_tokenizer([TEXT] * 9, 270).save_pretrained(tmp_path / "tokenizer")
    tokenizer = load_tokenizer(str(tmp_path / "tokenizer"))
    ids = np.resize(tokenizer(TEXT)["input_ids"], (10, 8)).astype(np.int32)
    names = [str(i) for i in range(10)]
    rows = Rows(names, [[n] for n in names], ids, np.full(10, 8, np.int32), np.ones((10, 8), bool))
    write_rows(rows, tmp_path / "rows.parquet")
    for name, text in (("y", TEXT), ("z", "water the on boat a")):
        documents = {"doc_id": ["a", "b"], "split": ["eval", "train"], "text": [text, "never read"]}
        documents |= {"prompt": [None, None], "completion": [None, None]}
        write_table(pd.DataFrame(documents), tmp_path / f"{name}.parquet")
    score_ngrams.main(
        [
            *("--rows", str(tmp_path / "rows.parquet"), "--train-set", "x", "--seed", "3"),
            *("--recipe", json.dumps(RECIPE), "--budgets", "30", "50", "--order", "3"),
            *("--documents", f"y={tmp_path / 'y.parquet'}", "--documents", f"z={tmp_path / 'z.parquet'}"),
            *("--split", "eval", "--tokenizer", str(tmp_path / "tokenizer")),
            *("--settings", json.dumps({"context": 8, "stride": 4})),
            *("--output", str(tmp_path / "x.parquet")),
        ]
    )
    return tmp_path / "x.parquet", tokenizer


def test_a_row_for_each_budget_and_evaluation_set(scored):
    path, tokenizer = scored
    losses = read_frame(path).set_index(["tokens", "eval_set"])
    assert set(losses.index) == {(30, "y"), (30, "z"), (50, "y"), (50, "z")}
    scored_tokens = len(tokenizer(TEXT)["input_ids"])  # eos for the first token
    assert losses.loc[(50, "y"), "n_tokens"] == scored_tokens
    assert losses.loc[(50, "y"), "loss"] < losses.loc[(50, "z"), "loss"]


def test_losses_are_of_the_tokens_of_that_seed_and_of_the_eval_side(scored, tmp_path):
    path, tokenizer = scored
    found = read_frame(path).set_index(["tokens", "eval_set"])["loss"]
    rows = read_rows(tmp_path / "rows.parquet")
    ids = np.array(tokenizer("water the on boat a")["input_ids"] + [tokenizer.eos_token_id])
    for budget, read in tokens_read(rows, Recipe.from_dict(RECIPE), 3, "x"):
        (logs,) = KneserNey(read, len(tokenizer), 3).log_probabilities([ids])
        assert found[budget, "z"] == pytest.approx(-logs[1:].mean(), rel=1e-12)


def test_the_summary_has_the_cells_of_the_experiments(scored, tmp_path):
    path, _ = scored
    out = tmp_path / "summary.parquet"
    recorded = {"name": "elsewhere", "kind": "recorded"}
    experiments = json.dumps([EXPERIMENT, recorded])
    collect_ngram_losses.main(
        ["--experiments", experiments, "--losses", f"small/x={path}", "--summary", str(out)]
    )
    found = read_frame(out)
    assert found[["experiment", "train_set", "eval_set", "tokens", "seed", "order"]].to_numpy().tolist() == [
        ["one", "x", "y", 50, 3, 3],
        ["one", "x", "z", 50, 3, 3],
    ]
    assert found["from_scratch"].all()

"""Scores of single texts by their Fisher information: the formula, and what it prefers."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from tests.pool.conftest import legal, medical
from workflow_scripts.fisher.embedding import embed
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.row_scores import RowFisher, RowScores
from workflow_scripts.tokens.text_tokenizer import open_tokenizer
from workflow_scripts.tokens.tokenizer import train_tokenizer

LENGTH = 24


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer([*legal(50), *medical(50)], 400).save_pretrained(folder)
    return open_tokenizer(folder)


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    config = GPT2Config(n_layer=1, n_embd=16, n_head=2, vocab_size=len(tokenizer), n_positions=LENGTH)
    return GPT2LMHeadModel(config).eval()


@pytest.fixture(scope="module")
def reader(model, tokenizer):
    return RowFisher(model, tokenizer, Settings(Estimator.corrected()), LENGTH)


def texts(made):
    return [text.encode() for text in made]


def test_the_information_is_that_of_the_first_tokens(reader, model, tokenizer):
    text = medical(1)[0]
    ids = tokenizer([text], add_special_tokens=False, verbose=False)["input_ids"][0]
    assert len(ids) > LENGTH
    found, scored = reader.of(text.encode())
    expected = embed(model, torch.tensor([ids[:LENGTH]]), None, Estimator.corrected())
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-6)
    assert scored == LENGTH - 1
    longer, _ = reader.of(text.encode() + b" and much more")
    np.testing.assert_array_equal(longer, found)


def test_the_mean_is_over_scored_positions(reader):
    one, other = texts(medical(2))
    short = other[:30]
    (a, n), (b, m) = reader.of(one), reader.of(short)
    assert n != m
    np.testing.assert_allclose(reader.of_all([one, b"", short]), (a * n + b * m) / (n + m))
    assert reader.of_all([]) == 0


def test_the_score_is_its_formula(reader):
    target, pool = (reader.of_all(texts(made(6))) for made in (medical, legal))
    row = texts(legal(1, seed=5))[0]
    roots = np.sqrt(reader.of(row)[0])
    with np.errstate(invalid="ignore"):
        weights = np.nan_to_num(np.log((0.9 * target + 0.1 * pool) / (0.9 * pool + 0.1 * target)))
    assert RowScores(reader, target, pool).score(row) == pytest.approx((roots * weights).sum() / roots.sum())
    swapped = RowScores(reader, pool, target).score(row)
    assert swapped == pytest.approx(-RowScores(reader, target, pool).score(row))


def test_rows_of_the_targets_kind_have_the_higher_scores_whatever_their_length(reader):
    pool = texts([*legal(30), *medical(30)])
    scores = RowScores.fit(reader, texts(medical(20, seed=3)), pool, seed=0)
    near = [scores.score(text[:cut]) for cut in (40, 400) for text in texts(medical(10, seed=4))]
    far = [scores.score(text[:cut]) for cut in (40, 400) for text in texts(legal(10, seed=4))]
    assert min(near) > max(far)


def test_a_text_with_nothing_to_score_is_last(reader):
    scores = RowScores(reader, reader.of_all(texts(medical(2))), reader.of_all(texts(legal(2))))
    assert scores.score(b"") == scores.score(b"a") == -np.inf

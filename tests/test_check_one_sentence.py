"""A published perplexity checked on one sentence, with a small random model in GPT-2's place."""

import json
import math

import pytest
import torch

from workflow_scripts.check_one_sentence import main
from workflow_scripts.errors import UserError
from workflow_scripts.models.fresh import new_model
from workflow_scripts.models.loading import load_model
from workflow_scripts.storage.tables import read_plain_json
from workflow_scripts.tokens.tokenizer import train_tokenizer

SENTENCE = 'lemma to_fract_0 [simp]: "to_fract 0 = 0"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stand_in")
    tokenizer = train_tokenizer([SENTENCE, "the lemma of zero and of fractions"], 300)
    tokenizer.save_pretrained(folder)
    settings = {"n_embd": 16, "n_layer": 1, "n_head": 2, "initializer_range": 0.5}
    new_model({"type": "gpt2", "settings": settings}, tokenizer, 64, seed=0).save_pretrained(folder)
    ids = torch.tensor([tokenizer(SENTENCE)["input_ids"]])
    with torch.no_grad():
        expected = math.exp(float(load_model(folder).eval()(ids, labels=ids).loss))
    return folder, expected


def found(folder, tmp_path, perplexity, *options):
    expected = {
        "model": str(folder),
        "revision": None,
        "sentence": SENTENCE,
        "perplexity": perplexity,
        "tolerance": 0.01,
        "source": "here",
    }
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    output = tmp_path / "found.json"
    main(["--expected", str(tmp_path / "expected.json"), "--output", str(output), *options])
    return read_plain_json(output)


def test_the_perplexity_of_exactly_the_sentence_is_compared(folder, tmp_path):
    model, expected = folder
    result = found(model, tmp_path, expected)
    assert result["agrees"]
    assert result["perplexity"] == pytest.approx(expected, abs=1e-3)
    assert result["perplexity_with_end_of_text"] != result["perplexity"]
    assert result["model"] == model.name  # no path of the machine
    assert not found(model, tmp_path, expected + 0.1)["agrees"]


def test_another_model_may_stand_in(folder, tmp_path):
    model, expected = folder
    assert found(tmp_path / "nothing", tmp_path, expected, "--model", str(model))["agrees"]


def test_without_weights_it_says_what_to_put_in_their_place(tmp_path):
    with pytest.raises(UserError) as caught:
        found(tmp_path / "nothing", tmp_path, 1.0)
    message = str(caught.value)
    assert "could not be downloaded" in message
    assert "probe.model.pretrained" in message
    assert "\n" not in message


def test_the_sentence_that_is_shipped_is_the_published_one(root):
    shipped = read_plain_json(root / "published" / "one_sentence.json")
    assert shipped["perplexity"] == 78.7413
    assert shipped["sentence"].startswith(
        "informal statement $\\text{to\\_fract}(0) = 0$. formal statement lemma"
    )
    assert shipped["sentence"].endswith('lemma to_fract_0 [simp]: "to_fract 0 = 0"')

import subprocess
import sys

import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.tokens.text_tokenizer import open_tokenizer
from workflow_scripts.tokens.tokenizer import END_OF_TEXT, load_tokenizer, train_tokenizer


def test_a_trained_tokenizer_is_the_same_twice_and_after_saving(tmp_path):
    texts = ["alpha beta gamma", "beta gamma delta é ∀x", "gamma\n\tdelta"] * 5
    one, two = train_tokenizer(texts, 300), train_tokenizer(texts, 300)
    one.save_pretrained(tmp_path)
    back = load_tokenizer(str(tmp_path))
    assert one.get_vocab() == two.get_vocab() == back.get_vocab()
    for text in ["beta gamma é ∀x", "unseen 日本語 text"]:
        ids = one(text)["input_ids"]
        assert ids == back(text)["input_ids"]
        assert back.decode(ids) == text


def test_end_of_text_is_token_zero_and_pads():
    tokenizer = train_tokenizer(["some text"], 300)
    assert tokenizer.eos_token == tokenizer.pad_token == END_OF_TEXT
    assert tokenizer.eos_token_id == tokenizer.pad_token_id == 0


def test_without_transformers_the_saved_tokenizer_gives_the_same(tmp_path):
    train_tokenizer(["alpha beta gamma", "beta gamma delta é ∀x"] * 5, 300).save_pretrained(tmp_path)
    full, light = load_tokenizer(str(tmp_path)), open_tokenizer(tmp_path)
    texts = ["beta  gamma é ∀x", "", "<|endoftext|>unseen 日本語\n\t text"]
    rows = light(texts, add_special_tokens=False, verbose=False)["input_ids"]
    assert rows == full(texts, add_special_tokens=False, verbose=False)["input_ids"]
    for skip in (True, False):
        options = {"skip_special_tokens": skip, "clean_up_tokenization_spaces": False}
        assert light.batch_decode(rows, **options) == full.batch_decode(rows, **options)
    assert (len(light), light.eos_token_id, light.pad_token_id) == (len(full), 0, 0)
    assert light.all_special_ids == full.all_special_ids


def test_padding_and_truncation_that_a_tokenizer_was_saved_with_do_not_reach_rows(tmp_path):
    tokenizer = train_tokenizer(["alpha beta gamma"] * 5, 300)
    tokenizer.backend_tokenizer.enable_truncation(2)
    tokenizer.backend_tokenizer.enable_padding(length=9)
    tokenizer.save_pretrained(tmp_path)
    assert "Fixed" in (tmp_path / "tokenizer.json").read_text()
    text = "alpha beta gamma alpha"
    (row,) = open_tokenizer(tmp_path)([text], add_special_tokens=False, verbose=False)["input_ids"]
    assert open_tokenizer(tmp_path).batch_decode(
        [row], skip_special_tokens=False, clean_up_tokenization_spaces=False
    ) == [text]
    assert len(row) > 2


def test_a_saved_tokenizer_without_an_end_of_text_is_refused(tmp_path):
    train_tokenizer(["some text"], 300).save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(UserError, match="no end-of-text token"):
        open_tokenizer(tmp_path)


def test_opening_a_saved_tokenizer_imports_no_transformers(tmp_path):
    train_tokenizer(["some text"], 300).save_pretrained(tmp_path)
    code = (
        "import sys; from workflow_scripts.tokens.text_tokenizer import open_tokenizer; "
        "open_tokenizer(sys.argv[1]); sys.exit('transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == 0

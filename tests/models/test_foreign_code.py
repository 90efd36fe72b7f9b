"""Folders from elsewhere run no code, and ask no questions."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from workflow_scripts.errors import UserError
from workflow_scripts.models.loading import load_model, shape_of
from workflow_scripts.tokens.tokenizer import load_tokenizer

OWN = {
    "AutoConfig": "own.Config",
    "AutoModelForCausalLM": "own.Model",
    "AutoTokenizer": ["own.Tokenizer", None],
}
CONFIG = GPT2Config(
    n_layer=1, n_embd=16, n_head=2, vocab_size=50, n_positions=8, bos_token_id=0, eos_token_id=0
)


@pytest.fixture
def with_code(tmp_path) -> Path:
    """A model and a tokenizer that exist only as a program, which leaves a file when it runs."""
    folder = tmp_path / "model"
    GPT2LMHeadModel(CONFIG).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": OWN}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Own", "auto_map": OWN}))
    (folder / "own.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nfrom transformers import GPT2Config as Config, "
        "GPT2LMHeadModel as Model, GPT2Tokenizer as Tokenizer\n"
    )
    return folder


@pytest.mark.parametrize("load", [load_model, shape_of, load_tokenizer])
def test_code_in_a_folder_is_refused_in_one_sentence(with_code, load):
    with pytest.raises(
        UserError, match="it has code of its own, which is never run; use an architecture"
    ) as said:
        load(str(with_code))
    assert "trust_remote_code" not in str(said.value) and "\n" not in str(said.value)
    assert not with_code.with_name("ran").exists()


def test_nobody_is_asked_whether_to_run_it(with_code):
    """transformers would ask on standard input, and a job would wait for the answer."""
    program = f"from workflow_scripts.models.loading import load_model\nload_model({str(with_code)!r})"
    asked = subprocess.run(
        [sys.executable, "-c", program], input="y\n", capture_output=True, text=True, check=False
    )
    assert "[y/N]" not in asked.stdout + asked.stderr
    assert not with_code.with_name("ran").exists()


def test_pickled_weights_are_refused_unread(tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    CONFIG.save_pretrained(tmp_path / "model")
    torch.save(Harm(), tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"it has no file model\.safetensors; other formats can run code"):
        load_model(tmp_path / "model")
    assert not (tmp_path / "ran").exists()

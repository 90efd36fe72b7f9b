"""Checkpoints in several files work; adapters are merged; quantised weights are refused in one sentence."""

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from workflow_scripts.errors import UserError
from workflow_scripts.fisher.embedding import embed
from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.models.digests import weights_digest
from workflow_scripts.models.folders import copy_model, save_model
from workflow_scripts.models.loading import load_model, shape_of

CONFIG = LlamaConfig(
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=2,
    intermediate_size=24,
    vocab_size=50,
    max_position_embeddings=16,
    bos_token_id=0,
    eos_token_id=0,
    pad_token_id=None,
)
QUANTISED = {
    "bitsandbytes": {"load_in_8bit": True},
    "gptq": {"bits": 4},
    "awq": {"bits": 4},
    "fp8": {"activation_scheme": "dynamic"},
    "mxfp4": {},
}


@pytest.fixture
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(CONFIG).eval()


@pytest.fixture
def without_peft(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "peft" else find(name, *more)
    )


def adapter_of(base: Path, folder: Path) -> Path:
    """The files of an adapter, without the package that makes them."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": str(base)})
    )
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder


def test_weights_in_several_files_are_the_same_model(model, tmp_path):
    model.save_pretrained(tmp_path / "several", max_shard_size="10KB")
    assert len(list((tmp_path / "several").glob("model-0000*-of-0000*.safetensors"))) > 1
    ids = torch.arange(24).view(3, 8) + 1
    first, second = (
        embed(one, ids, None, Estimator.corrected()) for one in (model, load_model(tmp_path / "several"))
    )
    assert torch.equal(first, second)
    assert [tuple(one.shape) for one in shape_of(tmp_path / "several").parameters()] == [
        tuple(one.shape) for one in model.parameters()
    ]


def test_a_copy_of_weights_in_several_files_has_one(model, tmp_path):
    """As a probe from elsewhere: the rules name model.safetensors."""
    model.save_pretrained(tmp_path / "several", max_shard_size="10KB")
    save_model(load_model(tmp_path / "several"), tmp_path / "copy")
    save_model(model, tmp_path / "one")
    assert weights_digest(tmp_path / "copy") == weights_digest(tmp_path / "one")
    assert [file.name for file in (tmp_path / "copy").glob("*.safetensors")] == ["model.safetensors"]


def test_a_damaged_file_of_several_is_reported(model, tmp_path):
    model.save_pretrained(tmp_path / "several", max_shard_size="10KB")
    copy_model(tmp_path / "several", tmp_path / "sealed")
    file = sorted((tmp_path / "sealed").glob("*.safetensors"))[1]
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with pytest.raises(UserError, match=rf"{file.name} is damaged"):
        load_model(tmp_path / "sealed")


@pytest.mark.parametrize("method", QUANTISED)
@pytest.mark.parametrize("load", [load_model, shape_of])
def test_quantised_weights_are_refused_unread(method, load, model, tmp_path):
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["quantization_config"] = {"quant_method": method, **QUANTISED[method]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(
        UserError, match=rf"has quantised weights \({method}\), which have no gradients"
    ) as said:
        load(tmp_path)
    assert "\n" not in str(said.value)


def test_an_adapter_without_the_package_is_refused_with_both_ways_out(without_peft, model, tmp_path):
    save_model(model, tmp_path / "base")
    with pytest.raises(
        UserError, match=r"is an adapter of .*base, not a whole model: install peft .* or merge"
    ):
        load_model(adapter_of(tmp_path / "base", tmp_path / "adapter"))


def test_an_adapter_in_a_format_that_runs_code_is_refused(monkeypatch, model, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda *given: SimpleNamespace(origin=None))
    adapter = adapter_of(tmp_path / "base", tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(
        UserError, match=r"is an adapter without adapter_model\.safetensors; other formats can"
    ):
        load_model(adapter)


def test_an_adapter_of_prompts_is_refused(monkeypatch, model, tmp_path):
    """It has nothing to add to weights."""
    adapted = SimpleNamespace(peft_type=SimpleNamespace(value="PROMPT_TUNING"))
    peft = SimpleNamespace(PeftModel=SimpleNamespace(from_pretrained=lambda *given, **more: adapted))
    monkeypatch.setitem(sys.modules, "peft", peft)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: name == "peft" or find(name, *more))
    save_model(model, tmp_path / "base")
    with pytest.raises(UserError, match=r"cannot be merged into its base \(PROMPT_TUNING\)"):
        load_model(adapter_of(tmp_path / "base", tmp_path / "adapter"))


def test_an_adapter_is_merged_into_its_base(model, tmp_path):
    peft = pytest.importorskip("peft")
    save_model(model, tmp_path / "base")
    settings = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    adapted = peft.get_peft_model(load_model(tmp_path / "base"), settings).eval()
    adapted.save_pretrained(tmp_path / "adapter")
    found = load_model(tmp_path / "adapter")
    assert {name for name, _ in found.named_parameters()} == {name for name, _ in model.named_parameters()}
    ids = torch.arange(24).view(3, 8) + 1
    with torch.no_grad():
        torch.testing.assert_close(found.eval()(ids).logits, adapted(ids).logits)
        assert not torch.allclose(found(ids).logits, model(ids).logits, atol=1e-3)
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="no model could be read from"):
        load_model(tmp_path / "adapter")

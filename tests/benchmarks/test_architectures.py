"""The short form of `python -m benchmarks.architectures`: one model of each kind of difficulty."""

import pytest

from benchmarks.architectures import compared

AGREE = {
    "bart": "positions are computed inside of a lookup",
    "bloom": "no positions",
    "codegen": "a configuration without a padding token",
    "cohere": "scaled logits",
    "ctrl": "embeddings that are scaled in place",
    "deepseek_v3": "latent attention, experts",
    "gemma3n_text": "embeddings of each layer, and a stack of streams",
    "gpt_oss": "attention sinks",
    "mamba": "a state space",
    "marian": "positions that are constants",
    "qwen3_next": "linear attention between the other kind",
    "rembert": "a head that is narrower than the body",
    "xlnet": "positions before rows, so no weight has a formula",
}


@pytest.mark.parametrize("kind", AGREE, ids=AGREE.get)
def test_the_embedding_equals_that_by_plain_autograd(kind):
    found = compared(kind)
    assert found["status"] == "agrees", found


@pytest.mark.parametrize("kind", ["cpmant", "recurrent_gemma", "rwkv"])
def test_a_model_that_would_read_ends_of_text_is_refused_in_one_sentence(kind):
    found = compared(kind)
    assert found["status"] == "refused"
    assert "ignores the attention mask, so it would read the ends of text" in found["why"]
    assert "\n" not in found["why"]

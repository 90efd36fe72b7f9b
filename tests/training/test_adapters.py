"""Fine-tuning of adapters: what is trained, what is saved, and what a killed job continues from."""

import sys

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from workflow_scripts.errors import UserError
from workflow_scripts.models.folders import save_model
from workflow_scripts.models.fresh import new_model
from workflow_scripts.models.loading import load_model
from workflow_scripts.tokens.tokenizer import load_tokenizer
from workflow_scripts.training.engine import train
from workflow_scripts.training.interruption import Interruption
from workflow_scripts.training.processes import Execution
from workflow_scripts.training.recipe import Recipe
from workflow_scripts.training.schedule import make_blocks, plan_run

STILL = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
GPT2 = {"type": "gpt2", "settings": {"n_embd": 16, "n_layer": 2, "n_head": 2, **STILL}}
LLAMA = {
    "type": "llama",
    "settings": {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    },
}
ADAPTER = {"rank": 4, "alpha": 8}


class InterruptedAt(Interruption):
    """Requests an interruption after so many looks."""

    def __init__(self, looks):
        self.looks = looks

    @property
    def requested(self):
        self.looks -= 1
        return self.looks < 0


@pytest.fixture
def tune(tmp_path, tokenizer_folder, tiny_recipe, make_rows):
    """Fine-tune a base; the models that are saved at each budget."""
    tokenizer = load_tokenizer(str(tokenizer_folder))

    def run(name, model=GPT2, interruption=None, **changes):
        base = tmp_path / "base"
        save_model(new_model(model, tokenizer, 16, seed=5), base)
        settings = {"model": {"base": "probe"}, "tokens": [300, 500], "learning_rate": 0.01, **changes}
        recipe = Recipe.from_dict(tiny_recipe(**settings))
        schedule = plan_run(make_blocks(make_rows(), recipe, "x"), recipe, 0, "x")
        found = {}

        def keep(model, budget):
            save_model(model, tmp_path / name / "models" / str(budget))
            found[budget] = load_model(tmp_path / name / "models" / str(budget))

        is_finished = train(
            new_model(recipe.model, tokenizer, 16, 0, base),
            schedule,
            recipe,
            0,
            tmp_path / name,
            Execution(),
            interruption or Interruption(),
            keep,
            "x",
        )
        return is_finished, found, load_model(base)

    return run


def changed(model, base):
    before = dict(base.named_parameters())
    return {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}


def loss_of(model, rows):
    ids = torch.from_numpy(rows.input_ids.astype(np.int64))
    with torch.no_grad():
        logits = model.eval()(ids).logits
    return float(cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()))


@pytest.mark.parametrize("model", [GPT2, LLAMA], ids=lambda model: model["type"])
def test_only_the_linear_layers_of_the_body_change_and_models_are_whole(tune, model, make_rows):
    pytest.importorskip("peft")
    _, found, base = tune("a", model, adapter=ADAPTER)
    linear = {
        name
        for name, value in base.named_parameters()
        if value.ndim == 2 and not any(part in name for part in ("wte", "wpe", "embed", "lm_head"))
    }
    for budget in (300, 500):
        assert changed(found[budget], base) == linear
        for name, value in found[budget].named_parameters():
            if name in linear:
                rank = torch.linalg.matrix_rank(value - base.get_parameter(name), rtol=1e-3)
                assert rank <= ADAPTER["rank"]
    assert loss_of(found[500], make_rows(seed=1)) < loss_of(base, make_rows(seed=1)) - 0.02


def test_reading_at_a_budget_leaves_the_training_as_it_was(tune):
    pytest.importorskip("peft")
    _, twice, _ = tune("a", adapter=ADAPTER)
    _, once, _ = tune("b", adapter=ADAPTER, tokens=[300])
    assert all(
        torch.equal(a, b) for a, b in zip(twice[300].parameters(), once[300].parameters(), strict=True)
    )


def test_an_interrupted_run_ends_with_the_same_weights(tune):
    pytest.importorskip("peft")
    _, undisturbed, _ = tune("a", adapter=ADAPTER)
    is_finished, first, _ = tune("b", adapter=ADAPTER, interruption=InterruptedAt(6))
    assert not is_finished and 500 not in first
    is_finished, rest, _ = tune("b", adapter=ADAPTER)
    assert is_finished
    for a, b in zip(undisturbed[500].parameters(), rest[500].parameters(), strict=True):
        assert torch.equal(a, b)


def test_micro_batches_and_recomputed_activations_change_nothing_but_rounding(tune):
    pytest.importorskip("peft")
    _, whole, _ = tune("a", adapter=ADAPTER)
    for name, changes in (("b", {"gradient_accumulation": 2}), ("c", {"gradient_checkpointing": True})):
        _, other, _ = tune(name, adapter=ADAPTER, **changes)
        for a, b in zip(whole[500].parameters(), other[500].parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def test_without_the_package_the_recipe_is_refused(tune, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(UserError, match=r"adapter needs peft: .*pip install '\.\[lora\]'"):
        tune("a", adapter=ADAPTER)

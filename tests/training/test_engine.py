"""What a run computes: compared with a loop written here, and with itself cut otherwise."""

import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel

from workflow_scripts.errors import UserError
from workflow_scripts.models.fresh import new_model
from workflow_scripts.tokens.tokenizer import load_tokenizer
from workflow_scripts.training.engine import MicroBatches, train
from workflow_scripts.training.interruption import Interruption
from workflow_scripts.training.processes import Execution
from workflow_scripts.training.recipe import Recipe
from workflow_scripts.training.schedule import make_blocks, plan_run

STILL = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
GPT2 = {"type": "gpt2", "settings": {"n_embd": 16, "n_layer": 1, "n_head": 2, **STILL}}
LLAMA = {
    "type": "llama",
    "settings": {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    },
}
NEOX = {
    "type": "gpt_neox",
    "settings": {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "attention_dropout": 0.0,
        "hidden_dropout": 0.0,
    },
}


@pytest.fixture
def trained(tmp_path, tokenizer_folder):
    """Train a recipe on rows; the weights at each budget."""
    tokenizer = load_tokenizer(str(tokenizer_folder))
    runs = iter(range(100))

    def run(recipe, rows, seed=0, execution=None):
        schedule = plan_run(make_blocks(rows, recipe, "x"), recipe, seed, "x")
        model = new_model(recipe.model, tokenizer, recipe.context, seed)
        readings = {}

        def keep(model, budget):
            readings[budget] = {name: value.clone() for name, value in model.state_dict().items()}

        folder = tmp_path / f"run-{next(runs)}"
        assert train(
            model, schedule, recipe, seed, folder, execution or Execution(), Interruption(), keep, "x"
        )
        return readings

    return run


def distance(a, b):
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def looped(recipe, rows, tokenizer, seed=0):
    """The same run as a plain loop over rows cut to their tokens: AdamW, clipping, warm-up, mean over tokens."""
    model = new_model(recipe.model, tokenizer, recipe.context, seed).train()
    schedule = plan_run(make_blocks(rows, recipe, "x"), recipe, seed, "x")
    optimiser = torch.optim.AdamW(model.parameters(), lr=1.0, eps=1e-8, weight_decay=0.0)
    for step in range(schedule.n_steps):
        total, count = torch.zeros(()), 0
        for i in range(*schedule.bounds[step : step + 2]):
            block, begin, end = (
                int(x[i]) for x in (schedule.pieces.block, schedule.pieces.begin, schedule.pieces.end)
            )
            ids = torch.tensor(schedule.blocks.input_ids[block, :end].astype(np.int64))
            logits = model(input_ids=ids[None]).logits[0]
            for t in range(max(begin, 1), end):
                if schedule.blocks.learnable[block, t]:
                    total = total - torch.log_softmax(logits[t - 1], -1)[ids[t]]
                    count += 1
        (total / count).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        rise = min(1.0, step / recipe.warmup_steps)
        left = (schedule.n_steps - step) / (schedule.n_steps - recipe.warmup_steps)
        rate = rise if recipe.schedule == "constant" or step < recipe.warmup_steps else left
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * rate
        optimiser.step()
        optimiser.zero_grad()
    return model.state_dict()


@pytest.mark.parametrize("model", [GPT2, LLAMA, NEOX], ids=lambda model: model["type"])
@pytest.mark.parametrize(
    "fields",
    [
        {"tokens": [203, 300]},
        {"tokens": [190], "layout": "documents", "loss": "answer", "epochs": 2, "schedule": "linear"},
    ],
    ids=["packed", "answers"],
)
def test_a_run_is_what_a_plain_loop_gives(model, fields, trained, make_rows, tokenizer_folder, tiny_recipe):
    recipe = Recipe.from_dict(tiny_recipe(model=model, learning_rate=0.01, clip=0.5, **fields))
    sizes = None if recipe.layout == "packed" else 3 + np.arange(40) % 13
    rows = make_rows(n_rows=40, n_tokens=sizes)
    expected = looped(recipe, rows, load_tokenizer(str(tokenizer_folder)))
    assert distance(trained(recipe, rows)[recipe.tokens[-1]], expected) < 2e-5


def test_one_run_at_two_budgets_is_two_runs_bit_for_bit(trained, make_rows, tiny_recipe):
    rows = make_rows()
    both = trained(Recipe.from_dict(tiny_recipe(tokens=[500, 1000])), rows)
    for budget in (500, 1000):
        # The larger run alone takes other batches after the first budget; the smaller one is a prefix.
        alone = trained(Recipe.from_dict(tiny_recipe(tokens=[budget])), rows)
        assert (distance(both[budget], alone[budget]) == 0) == (budget == 500)


@pytest.mark.parametrize("model", [GPT2, LLAMA, NEOX], ids=lambda model: model["type"])
def test_recomputed_activations_change_nothing_but_rounding(model, trained, make_rows, tiny_recipe):
    rows = make_rows()
    kept, again = (
        trained(Recipe.from_dict(tiny_recipe(model=model, gradient_checkpointing=on)), rows)[512]
        for on in (False, True)
    )
    assert distance(kept, again) < 1e-5


def test_dropout_is_the_same_when_activations_are_computed_again(trained, make_rows, tiny_recipe):
    with_dropout = {**GPT2, "settings": {**GPT2["settings"], "resid_pdrop": 0.3}}
    rows = make_rows()
    kept, again = (
        trained(Recipe.from_dict(tiny_recipe(model=with_dropout, gradient_checkpointing=on)), rows)[512]
        for on in (False, True)
    )
    assert distance(kept, again) < 1e-5


def test_a_model_that_cannot_compute_activations_again_is_refused(
    trained, make_rows, tiny_recipe, monkeypatch
):
    monkeypatch.setattr(GPT2LMHeadModel, "supports_gradient_checkpointing", False)
    with pytest.raises(UserError, match="a gpt2 model cannot compute its activations again; remove"):
        trained(Recipe.from_dict(tiny_recipe(model=GPT2, gradient_checkpointing=True)), make_rows())


def test_activations_inside_layers_are_not_kept(trained, make_rows, tiny_recipe):
    """Numbers that are saved for the backward pass of a step, by a model of four layers."""
    deep = {**GPT2, "settings": {**GPT2["settings"], "n_layer": 4}}
    saved = []

    def count(tensor):
        saved[-1] += tensor.numel()
        return tensor

    for on in (False, True):
        saved.append(0)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            trained(
                Recipe.from_dict(tiny_recipe(model=deep, gradient_checkpointing=on, tokens=[64])), make_rows()
            )
    assert saved[1] < 0.5 * saved[0]


def test_micro_batches_change_nothing_but_rounding(trained, make_rows, tiny_recipe):
    rows = make_rows(n_tokens=4 + np.arange(80) % 13)
    settings = {"model": GPT2, "layout": "documents", "tokens": [500], "batch_rows": 6}
    whole = trained(Recipe.from_dict(tiny_recipe(**settings)), rows)[500]
    cut = trained(Recipe.from_dict(tiny_recipe(**settings, gradient_accumulation=4)), rows)[500]
    assert 0 < distance(whole, cut) < 1e-5


def test_seeds_and_data_change_the_weights_and_nothing_else_does(trained, make_rows, tiny_recipe):
    recipe = Recipe.from_dict(tiny_recipe())
    first = trained(recipe, make_rows())[512]
    assert distance(first, trained(recipe, make_rows())[512]) == 0
    assert distance(first, trained(recipe, make_rows(), seed=1)[512]) > 0.01
    assert distance(first, trained(recipe, make_rows(seed=1))[512]) > 0.01


def test_a_step_without_enough_rows_still_feeds_every_process(make_rows, tiny_recipe):
    recipe = Recipe.from_dict(tiny_recipe(tokens=[16 * 5]))
    schedule = plan_run(make_blocks(make_rows(), recipe, "x"), recipe, 0, "x")
    batches = MicroBatches(schedule, 3)
    learnt = [int((batches[i]["labels"] != -100).sum()) for i in range(len(batches))]
    assert learnt == [30, 15, 15, 15, 0, 0]


def test_more_micro_batches_than_rows_are_refused(trained, make_rows, tiny_recipe):
    with pytest.raises(UserError, match="batch_rows is 4; with gradient_accumulation 5 and 1 processes"):
        trained(Recipe.from_dict(tiny_recipe(gradient_accumulation=5)), make_rows())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"type": "gpt2", "settings": {"n_layers_": 1}}, "a gpt2 model has no setting 'n_layers_'"),
        ({"type": "gpt0"}, "model type 'gpt0' is unknown to transformers"),
        (
            {"type": "gpt2", "settings": {"n_positions": 8}},
            "context is 16, and the model reads at most 8 tokens",
        ),
        (
            {"type": "gpt2", "settings": {"vocab_size": 100}},
            "tokens, and the model's vocabulary 100",
        ),
        ({"base": "probe"}, "no folder of base weights is given"),
        ({"pretrained": "/nowhere"}, "no model could be read from /nowhere"),
    ],
)
def test_models_that_cannot_be_made_are_refused(model, message, tokenizer_folder):
    with pytest.raises(UserError, match=message):
        new_model(model, load_tokenizer(str(tokenizer_folder)), 16, 0)

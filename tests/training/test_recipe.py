import re
from dataclasses import MISSING, fields

import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.plan.schema import schema
from workflow_scripts.training.recipe import Recipe


def test_defaults_are_filled_and_budgets_sorted(tiny_recipe):
    recipe = Recipe.from_dict(tiny_recipe(tokens=[512, 256]))
    assert recipe.tokens == (256, 512)
    assert (recipe.epochs, recipe.schedule, recipe.count, recipe.clip) == (1, "constant", "real", 1.0)
    assert Recipe.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rat": 1}, "unknown key 'learning_rat'"),
        ({"schedule": "step"}, "schedule is 'step'; allowed are constant, linear, cosine"),
        ({"batch_rows": 0}, "batch_rows is 0; it must be 1 or more"),
        ({"batch_rows": 2.5}, "batch_rows is 2.5; it must be of type int"),
        ({"shuffle": 1}, "shuffle is 1; it must be of type bool"),
        ({"epochs": True}, "epochs is True; it must be of type int"),
        ({"learning_rate": 0}, "learning_rate is 0; it must be above 0"),
        ({"tokens": []}, "tokens is []"),
        ({"tokens": [64, 64]}, "tokens is [64, 64]"),
        ({"tokens": 64}, "tokens is 64"),
        ({"model": {"kind": "gpt2"}}, "model is {'kind': 'gpt2'}; it must be"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(tiny_recipe, change, message):
    with pytest.raises(UserError) as mistake:
        Recipe.from_dict(tiny_recipe(**change))
    assert message in str(mistake.value)


def test_missing_keys_are_named():
    with pytest.raises(UserError, match="'tokens' is missing"):
        Recipe.from_dict({"model": {"base": "probe"}})


def test_clip_may_be_null(tiny_recipe):
    assert Recipe.from_dict(tiny_recipe(clip=None)).clip is None


@pytest.mark.parametrize(
    ("change", "runs"),
    [({}, [(256, 512)]), ({"epochs": 2}, [(256,), (512,)]), ({"schedule": "linear"}, [(256,), (512,)])],
)
def test_one_run_is_read_at_all_budgets_only_where_the_end_does_not_matter(tiny_recipe, change, runs):
    recipe = Recipe.from_dict(tiny_recipe(tokens=[256, 512], **change))
    assert [run.tokens for run in recipe.runs()] == runs


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        ({"rank": 8}, "must be {rank: 16, alpha: 32}, or null"),
        ({"rank": 0, "alpha": 1}, "adapter.rank is 0; it must be a whole number from 1"),
        ({"rank": 8, "alpha": -1}, "adapter.alpha is -1; it must be above 0"),
    ],
)
def test_mistakes_of_an_adapter_are_reported(tiny_recipe, adapter, message):
    with pytest.raises(UserError, match=re.escape(message)):
        Recipe.from_dict(tiny_recipe(model={"base": "probe"}, adapter=adapter))
    with pytest.raises(UserError, match="this model starts from random ones"):
        Recipe.from_dict(tiny_recipe(adapter={"rank": 8, "alpha": 16}))


def test_settings_of_later_versions_are_in_keys_only_if_they_are_used(tiny_recipe):
    """Runs that an earlier version has not finished go on."""
    assert not {"gradient_checkpointing", "adapter"} & Recipe.from_dict(tiny_recipe()).to_dict().keys()
    used = {"gradient_checkpointing": True, "adapter": {"rank": 8, "alpha": 16}, "model": {"base": "probe"}}
    recipe = Recipe.from_dict(tiny_recipe(**used))
    assert recipe.to_dict().items() >= used.items()
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_defaults_are_those_of_the_config():
    """All but the layout, which has none: `auto` in the config is settled before a program hears of it."""
    of_config = schema()["$defs"]["recipe"]["properties"]
    defaults = {field.name: field.default for field in fields(Recipe) if field.default is not MISSING}
    assert defaults == {name: of_config[name]["default"] for name in defaults}
    assert set(of_config) - set(defaults) == {"model", "tokens", "layout", "seeds", "evaluation"}

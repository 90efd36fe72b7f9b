"""Numbers that are none, names that are paths or commands, models that cannot be built: one line, before any job."""

import copy
import json
import math
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.errors import UserError
from workflow_scripts.plan.checks import checked
from workflow_scripts.plan.schema import schema, with_defaults

pytestmark = pytest.mark.faults


def mistake(config) -> str:
    with pytest.raises(UserError) as caught:
        checked(config)
    message = str(caught.value)
    assert "\n" not in message
    return message


def number_keys(definition, path=()):
    """The path to every key of the schema that may hold a number; not through names that a config chooses."""
    for key, part in definition.get("properties", {}).items():
        target = schema()["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        kinds = target.get("type", [])
        if {"number", "integer"} & set([kinds] if isinstance(kinds, str) else kinds):
            yield (*path, key)
        yield from number_keys(target, (*path, key))


PATHS = [
    *number_keys(schema()),
    *[("recipes", "from_scratch", *path) for path in number_keys(schema()["$defs"]["recipe"])],
    *[("corpora", "cpp_headers", *path) for path in number_keys(schema()["$defs"]["environment_corpus"])],
    ("probe", "model", "settings", "n_layer"),
]


COMPLETE = {"adapter": {"rank": 8, "alpha": 16}}  # objects with required keys


def put(config, path, value):
    for key in path[:-1]:
        if not isinstance(config.get(key), dict):
            config[key] = dict(COMPLETE.get(key, {}))
        config = config[key]
    config[path[-1]] = value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_no_number_key_takes_what_is_no_number(config, path, value):
    put(config, path, value)
    message = mistake(config)
    assert message.startswith(".".join(path))
    assert "must be" in message


def test_the_keys_were_found():
    assert {("seed",), ("gpu_hour_price",), ("probe", "training", "learning_rate")} <= set(PATHS)
    assert len(PATHS) > 40


NEGATIVE = (-1, -0.5, -1e308)


@pytest.mark.parametrize("value", NEGATIVE)
@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_no_number_key_takes_a_negative_number(config, path, value):
    put(config, path, value)
    assert mistake(config).startswith(".".join(path))


# Keys for which none is a choice.
MAY_BE_ZERO = ("seed", "warmup_steps", "weight_decay", "head_epochs", "held_out")


@pytest.mark.parametrize("path", [path for path in PATHS if path[-1] not in MAY_BE_ZERO], ids=".".join)
def test_few_number_keys_take_zero(config, path):
    put(config, path, 0)
    mistake(config)


@pytest.mark.parametrize("path", [path for path in PATHS if path[-1] != "clip"], ids=".".join)
def test_no_rate_and_no_size_is_as_large_as_a_float_can_be(config, path):
    put(config, path, 1e308)
    assert mistake(config).startswith(".".join(path))


@pytest.mark.parametrize("path", [("seed",), ("rows", "length"), ("probe", "tokens")], ids=".".join)
def test_a_float_is_no_whole_number(config, path):
    put(config, path, 1e308)
    assert mistake(config).endswith("must be of type integer")


@pytest.mark.parametrize(
    "name", ["../x", "$(touch x)", "a\n", "a\nb", "", "a b", "`x`", ";x", "\u202ex", "\0", "-rf"]
)
def test_names_are_plain_words(config, name):
    config["corpora"][name] = config["corpora"]["cpp_headers"]
    mistake(config)
    del config["corpora"][name]
    usual, config["experiments"][0]["name"] = config["experiments"][0]["name"], name
    assert mistake(config).startswith("experiments.0.name")
    config["experiments"][0]["name"] = usual
    if name != "-rf":  # results/-rf is a folder like any other
        config["run"] = name
        assert mistake(config).startswith("run")


@given(strange=st.recursive(st.floats() | st.integers() | st.text() | st.none(), st.lists))
def test_any_value_anywhere_is_taken_or_refused_in_one_line(strange):
    for path in PATHS:
        config = minimal()
        put(config, path, strange)
        try:
            with_defaults(config)
        except UserError as error:
            assert "\n" not in str(error)


def minimal():
    model = {"type": "gpt2", "settings": {}}
    return {
        "run": "x",
        "tokenizer": {},
        "probe": {"model": dict(model)},
        "recipes": {"from_scratch": {"model": dict(model), "tokens": [8], "seeds": [0], "context": 8}},
        "experiments": [],
        "corpora": {"cpp_headers": {"source": "environment", "kind": "code", "packages": ["x"]}},
    }


@pytest.mark.parametrize("name", ["../gpt2", "gpt3000"])
def test_an_unknown_type_of_model_is_named(config, name):
    config["probe"]["model"]["type"] = name
    assert mistake(config).startswith(f"probe.model.type = {name}: transformers does not know this type")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_embd": 65}, "n_embd = 65: it must be a multiple of n_head"),
        ({"n_layer": 0}, "n_layer = 0: must be a whole number from 1"),
        ({"n_layer": 2**31}, "n_layer = 2147483648: must be a whole number from 1 to 10000"),
        ({"n_head": -2}, "n_head = -2: must be a whole number from 1"),
        ({"n_positions": 64}, "n_positions = 64: the context of 128 tokens does not fit"),
        ({"vocab_size": 100}, "vocab_size = 100: it must be at least tokenizer.vocabulary"),
    ],
)
def test_a_shape_that_cannot_be_is_named(config, settings, message):
    config["recipes"]["from_scratch"]["model"]["settings"] |= settings
    assert mistake(config).startswith(f"recipes.from_scratch.model.settings.{message}")


def test_the_heads_of_a_model_whose_width_alone_is_given_are_its_default(config):
    config["probe"]["model"]["settings"] = {"n_embd": 64}
    assert "n_embd = 64: it must be a multiple of n_head = 12" in mistake(config)


def test_an_open_brace_in_a_template_is_found_at_the_start(config, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}')
    config["corpora"]["cpp_headers"] = {
        "source": "files",
        "paths": [str(tmp_path / "rows.jsonl")],
        "held_out": 0.5,
        "template": "{text",
    }
    assert mistake(config).startswith("corpora.cpp_headers: template = '{text'")


def test_an_adapter_of_a_model_from_scratch_is_refused(config):
    config["recipes"]["from_scratch"]["adapter"] = {"rank": 8, "alpha": 16}
    assert mistake(config).startswith(
        "recipes.from_scratch.adapter: an adapter changes weights that are trained"
    )


def test_a_folder_of_quantised_weights_is_refused_before_any_job(config, tmp_path):
    quantised = {"model_type": "llama", "quantization_config": {"quant_method": "gptq"}}
    (tmp_path / "config.json").write_text(json.dumps(quantised))
    config["recipes"]["from_scratch"]["model"] = {"pretrained": str(tmp_path)}
    message = mistake(config)
    assert message.startswith(
        f"recipes.from_scratch.model.pretrained: {tmp_path} has quantised weights (gptq)"
    )
    (tmp_path / "config.json").write_text("{")
    assert "its configuration cannot be read" in mistake(config)


def test_a_file_from_the_future_is_found_at_the_start(config, tmp_path):
    """Snakemake would read it first, and then discard the output as older than its input."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "a line of text"}\n' * 20_000)
    config["corpora"]["cpp_headers"] = {"source": "files", "paths": [str(rows)], "held_out": 0.5}
    checked(copy.deepcopy(config))
    os.utime(rows, (time.time() + 86_400,) * 2)
    assert mistake(config).startswith(
        f"corpora.cpp_headers.paths: {rows} is dated in the future; check the clock"
    )

"""Finds models of a config that cannot be built, before any job starts and without loading a model library."""

import importlib.util
from pathlib import Path
from typing import Any

from workflow_scripts.errors import UserError
from workflow_scripts.models.formats import check_format

# Names that transformers uses for the same setting in different models; the first that is set counts.
WIDTH = ("n_embd", "hidden_size", "d_model")
HEADS = ("n_head", "num_attention_heads", "num_heads")
POSITIONS = ("n_positions", "max_position_embeddings", "max_seq_len")
VOCABULARY = ("vocab_size",)
LAYERS = ("n_layer", "num_hidden_layers", "num_layers")
# Far above any model; a larger number would fill the memory of the job that creates it.
MOST_LAYERS, MOST = 10_000, 10_000_000
OWN_WIDTH_OF_HEADS = ("head_dim", "d_kv")
# GPT-2's own, because the heads of a small model are easily forgotten.
DEFAULTS = {"gpt2": {"n_embd": 768, "n_head": 12}}


def check_models(config: dict[str, Any]) -> None:
    """Check each model with random weights: its type, its shape, and that rows and tokens fit; and local folders."""
    vocabulary = 0 if config["tokenizer"]["pretrained"] else config["tokenizer"]["vocabulary"]
    models = {"probe.model": (config["probe"]["model"], config["probe"]["training"]["context"])}
    for name, recipe in config["recipes"].items():
        models[f"recipes.{name}.model"] = (recipe["model"], recipe["context"])
        if recipe.get("adapter") and "type" in recipe["model"]:
            raise UserError(
                f"recipes.{name}.adapter: an adapter changes weights that are trained, and this model starts from "
                "random ones; remove it, or start from {base: probe} or pretrained weights"
            )
    for key, (model, context) in models.items():
        if "type" in model:
            _check_type(model["type"], f"{key}.type")
            _check_shape(model, context, vocabulary, f"{key}.settings")
        elif "pretrained" in model:
            _check_folder(model["pretrained"], f"{key}.pretrained")


def _check_folder(name: str, key: str) -> None:
    try:
        check_format(name)
    except UserError as refusal:
        raise UserError(f"{key}: {refusal}") from None
    except ValueError as error:
        raise UserError(f"{key} = {name}: its configuration cannot be read: {error}") from None


def _check_type(name: str, key: str) -> None:
    """Most types are folders of transformers. It is imported only for other types, because the import takes seconds."""
    found = importlib.util.find_spec("transformers")
    assert found is not None and found.origin is not None
    folder = name.replace("-", "_")
    if folder.isidentifier() and (Path(found.origin).parent / "models" / folder).is_dir():
        return
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if name not in CONFIG_MAPPING_NAMES:
        raise UserError(
            f"{key} = {name}: transformers does not know this type; name one that it knows, such as gpt2 or llama"
        )


def _check_shape(model: dict[str, Any], context: int, vocabulary: int, key: str) -> None:
    settings = {**DEFAULTS.get(model["type"], {}), **model.get("settings", {})}
    sizes: dict[tuple[str, ...], tuple[str, int]] = {}
    for names in (WIDTH, HEADS, POSITIONS, VOCABULARY, LAYERS):
        for name in names:
            if name in settings:
                size = settings[name]
                most = MOST_LAYERS if names is LAYERS else MOST
                if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= most:
                    raise UserError(f"{key}.{name} = {size}: must be a whole number from 1 to {most}")
                sizes.setdefault(names, (name, size))
    if WIDTH in sizes and HEADS in sizes and not any(name in settings for name in OWN_WIDTH_OF_HEADS):
        (width_name, width), (heads_name, heads) = sizes[WIDTH], sizes[HEADS]
        if width % heads:
            raise UserError(
                f"{key}.{width_name} = {width}: it must be a multiple of {heads_name} = {heads}, one share a head"
            )
    if POSITIONS in sizes and sizes[POSITIONS][1] < context:
        name, positions = sizes[POSITIONS]
        raise UserError(
            f"{key}.{name} = {positions}: the context of {context} tokens does not fit; raise it or lower the context"
        )
    if VOCABULARY in sizes and sizes[VOCABULARY][1] < vocabulary:
        name, size = sizes[VOCABULARY]
        raise UserError(f"{key}.{name} = {size}: it must be at least tokenizer.vocabulary = {vocabulary}")

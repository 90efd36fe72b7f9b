"""The initial model of a recipe."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.errors import UserError
from workflow_scripts.models.loading import load_model

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


def new_model(
    model: dict[str, Any],
    tokenizer: "PreTrainedTokenizerBase",
    context: int,
    seed: int,
    base: str | Path | None = None,
) -> "PreTrainedModel":
    """The initial model of a recipe, in float32: fresh weights drawn with `seed`, or given weights."""
    from transformers import AutoModelForCausalLM, set_seed

    if "type" in model:
        config = fresh_config(model["type"], model.get("settings", {}), tokenizer, context)
        set_seed(seed)
        started = AutoModelForCausalLM.from_config(config)
    elif "pretrained" in model:
        started = load_model(model["pretrained"], model.get("revision"))
    elif base is None:
        raise UserError(
            f"recipe: the model is {model!r}, and no folder of base weights is given; give --base"
        )
    else:
        started = load_model(base)
    longest = getattr(started.config, "max_position_embeddings", None)
    if longest is not None and longest < context:
        raise UserError(
            f"recipe: context is {context}, and the model reads at most {longest} tokens; lower context"
        )
    if started.config.vocab_size < len(tokenizer):
        raise UserError(
            f"the tokenizer has {len(tokenizer)} tokens, and the model's vocabulary {started.config.vocab_size}; "
            "use the model's own tokenizer"
        )
    return started


def fresh_config(
    model_type: str, settings: dict[str, Any], tokenizer: "PreTrainedTokenizerBase", context: int
) -> "PreTrainedConfig":
    """The configuration of a model trained from scratch.

    The tokenizer sets the vocabulary and the end-of-sequence token, and the context sets the number of positions,
    unless the settings do. A pad token is not set: nothing reads it, and some models would freeze its row.
    """
    from transformers import AutoConfig

    try:
        defaults = AutoConfig.for_model(model_type)
    except ValueError:
        raise UserError(
            f"recipe: model type {model_type!r} is unknown to transformers; correct model.type"
        ) from None
    known = {*defaults.to_dict(), *defaults.attribute_map}
    for key in settings:
        if key not in known:
            raise UserError(
                f"recipe: a {model_type} model has no setting {key!r}; known are {', '.join(sorted(known))}"
            )
    positions = "max_position_embeddings"
    given = {defaults.attribute_map.get(key, key) for key in settings}
    filled = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": None,
    }
    if positions in known and defaults.attribute_map.get(positions, positions) not in given:
        filled[positions] = context
    try:
        return AutoConfig.for_model(model_type, **{**filled, **settings})
    except (TypeError, ValueError) as error:
        raise UserError(f"recipe: {model_type} settings {settings!r} are invalid: {error}") from error

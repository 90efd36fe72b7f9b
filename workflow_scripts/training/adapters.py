"""LoRA: fine-tuning of a product of two narrow matrices beside each linear layer, by the optional package peft.

    W' = W + (alpha / rank) B A,      A (rank, inputs), B (outputs, rank)

Only A and B are trained, so gradients and the optimiser need memory for them alone. B starts at zero and A at random
numbers drawn with the seed. The linear layers of the body have one; the output head, embeddings, norms and fused
experts have none. Saved models are whole: the product is added to the weights, so nothing else needs to know of
adapters.
"""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workflow_scripts.errors import UserError
from workflow_scripts.models.formats import INSTALL_PEFT

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def adapted(model: "PreTrainedModel", adapter: Mapping[str, Any], seed: int) -> Any:
    """The model with an adapter of this rank and alpha; everything else is frozen."""
    from transformers import set_seed

    try:
        from peft import LoraConfig, get_peft_model
    except ModuleNotFoundError:
        raise UserError(
            f"recipe: adapter needs peft: {INSTALL_PEFT}, or take adapter out of the recipe"
        ) from None
    settings = LoraConfig(
        r=adapter["rank"], lora_alpha=adapter["alpha"], target_modules="all-linear", task_type="CAUSAL_LM"
    )
    set_seed(seed)
    return get_peft_model(model, settings)


def whole(model: Any) -> "PreTrainedModel":
    """A copy of an adapted model with the adapter added to the weights; training goes on with the original."""
    return copy.deepcopy(model).merge_and_unload(safe_merge=True)

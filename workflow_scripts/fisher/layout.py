"""Which coordinates of an embedding belong to which module of the probe."""

from collections import Counter
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

EXPERTS = "experts"
"""Kind of a parameter that holds the matrices of several experts."""


@dataclass(frozen=True)
class Entry:
    """One weight of the probe and the coordinates that it fills: one per row of each of its matrices."""

    name: str
    kind: str
    coordinates: slice
    module: nn.Module
    parameter: nn.Parameter
    is_shared: bool
    """True if several modules share the parameter, because then no single module sees its whole gradient."""


def entries(model: PreTrainedModel) -> list[Entry]:
    """Every weight of the body, in `named_modules()` order; the output head and all biases are left out.

    A parameter with another name than `weight` follows its module, under its full name.
    """
    head = model.get_output_embeddings()
    tokens = model.get_input_embeddings()
    found: list[tuple[str, str, nn.Module, nn.Parameter]] = []
    for name, module in model.named_modules():
        if module is head:
            continue
        for own_name, parameter in module.named_parameters(recurse=False):
            if own_name == "weight":
                found.append((name, _kind(module, parameter, tokens), module, parameter))
            elif not own_name.endswith("bias"):
                kind = EXPERTS if _are_experts(module, parameter) else "other"
                found.append((f"{name}.{own_name}".lstrip("."), kind, module, parameter))
    holders = Counter(id(parameter) for _, _, _, parameter in found)
    listed, start = [], 0
    for name, kind, module, parameter in found:
        # A linear layer has one coordinate per index of its first axis, and each expert is one.
        stop = start + parameter.shape[: 2 if kind == EXPERTS else 1].numel()
        is_shared = holders[id(parameter)] > 1
        listed.append(Entry(name, kind, slice(start, stop), module, parameter, is_shared))
        start = stop
    return listed


def layout(model: PreTrainedModel) -> list[tuple[str, str, slice]]:
    """(module name, kind, slice) of every module of the embedding, in order.

    Kinds are token, position, norm, linear and experts; any other parameter that is not called `.weight` has kind
    other.
    """
    return [(entry.name, entry.kind, entry.coordinates) for entry in entries(model)]


def _kind(module: nn.Module, weight: nn.Parameter, tokens: nn.Module) -> str:
    if module is tokens:
        return "token"
    if _are_experts(module, weight):
        return EXPERTS
    if isinstance(module, nn.Embedding):
        return "position"
    return "norm" if weight.ndim == 1 else "linear"


def _are_experts(module: nn.Module, parameter: nn.Parameter) -> bool:
    """Whether a parameter holds the matrices of all experts of a mixture, along its first axis.

    transformers names every such module after its experts; convolutions and attention heads have three axes, too.
    """
    return parameter.ndim == 3 and "Experts" in type(module).__name__

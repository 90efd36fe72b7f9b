"""Which coordinates of an embedding belong to which module of the probe."""

from collections import Counter
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel


@dataclass(frozen=True)
class Entry:
    """One weight of the probe and the coordinates that it fills: one per index of its first axis."""

    name: str
    kind: str
    coordinates: slice
    module: nn.Module
    parameter: nn.Parameter
    is_shared: bool
    """True if several modules share the parameter, because then no single module sees its whole gradient."""


def entries(model: PreTrainedModel) -> list[Entry]:
    """Every weight of the body, in `named_modules()` order; the output head and all biases are left out.

    A parameter with another name than `weight` (fused experts, for example) follows its module, under its full name.
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
                found.append((f"{name}.{own_name}".lstrip("."), "other", module, parameter))
    holders = Counter(id(parameter) for _, _, _, parameter in found)
    listed, start = [], 0
    for name, kind, module, parameter in found:
        stop = start + (parameter.shape[0] if parameter.ndim else 1)
        is_shared = holders[id(parameter)] > 1
        listed.append(Entry(name, kind, slice(start, stop), module, parameter, is_shared))
        start = stop
    return listed


def layout(model: PreTrainedModel) -> list[tuple[str, str, slice]]:
    """(module name, kind, slice) of every module of the embedding, in order.

    Kinds are token, position, norm and linear; a parameter with another name than `.weight` has kind other.
    """
    return [(entry.name, entry.kind, entry.coordinates) for entry in entries(model)]


def _kind(module: nn.Module, weight: nn.Parameter, tokens: nn.Module) -> str:
    if module is tokens:
        return "token"
    if isinstance(module, nn.Embedding):
        return "position"
    return "norm" if weight.ndim == 1 else "linear"

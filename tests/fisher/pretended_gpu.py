"""A pretended GPU: keeps track of which tensors would be on it, and notes what would make the program wait for it."""

import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from workflow_scripts.fisher import embedding, head, probe, scoring

COUNTED = {"_local_scalar_dense", "nonzero", "_unique2", "unique_dim", "equal", "masked_select", "bincount"}
"""Operations whose result has a shape or a value that the program must know before it goes on."""
PACKAGE = str(Path(embedding.__file__).parents[1])


class PretendedGpu(TorchDispatchMode):
    """Tensors are on the GPU if they were sent there, or made from one that is, until `.cpu()` fetches them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tensors: Iterable[torch.Tensor]):
        super().__init__()
        self.waits: list[str] = []
        """Each wait: the operation, and the line of the package that asked for it."""
        self._on_it = WeakTensorKeyDictionary()
        for tensor in tensors:
            self._on_it[tensor] = True
        for module in (embedding, head, probe, scoring):
            monkeypatch.setattr(module, "there", self.send)
            if hasattr(module, "positions_of"):
                monkeypatch.setattr(module, "positions_of", self.send_positions)
        monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: self.fetch(tensor))

    def send(self, tensor: torch.Tensor, _device: torch.device) -> torch.Tensor:
        sent = tensor.clone()
        self._on_it[sent] = True
        return sent

    def send_positions(self, mask: torch.Tensor, device: torch.device) -> torch.Tensor:
        return self.send(mask.flatten().nonzero().squeeze(1), device)

    def fetch(self, tensor: torch.Tensor) -> torch.Tensor:
        fetched = tensor.detach().clone()
        self._on_it.pop(fetched, None)
        return fetched

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        name = operation._schema.name.removeprefix("aten::")
        if any(tensor in self._on_it for tensor in inputs):
            indices = tree_leaves(args[1:2]) if name in ("index", "index_put", "index_put_") else []
            by_mask = any(isinstance(index, torch.Tensor) and index.dtype == torch.bool for index in indices)
            if name in COUNTED or by_mask:
                self.waits.append(f"{name} at {_caller()}")
        result = operation(*args, **(kwargs or {}))
        if any(tensor in self._on_it for tensor in inputs):
            for leaf in tree_leaves(result):
                if isinstance(leaf, torch.Tensor):
                    self._on_it[leaf] = True
        return result


def _caller() -> str:
    own = [frame for frame in traceback.extract_stack() if frame.filename.startswith(PACKAGE)]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno} {own[-1].line}" if own else "unknown"

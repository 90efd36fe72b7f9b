"""The diagonal of g g' for the weight of one module, averaged over the weight's second axis, per group of positions.

A group is one row (or, as released, one minibatch). With the module's input `a` (groups, positions, inputs) and
the gradient `g` of its output (groups, positions, outputs), the gradient of the weight is a sum over positions.
It is never stored: each function returns (groups, shape[0] of the weight).
"""

from collections.abc import Callable

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

Formula = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_LARGEST_GRADIENT = 1 << 25
"""Size of the weight gradients that are formed at a time, in numbers: 128 MiB of float32."""


def conv1d(a: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """Weight (I, J), rows are inputs: diag(a' (g g') a) / J."""
    return _mean_square_of_rows(a, g)


def linear(a: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """Weight (J, I), rows are outputs: diag(g' (a a') g) / I."""
    return _mean_square_of_rows(g, a)


def _mean_square_of_rows(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Mean over the second axis of (x' y)^2, for x (groups, T, R) and y (groups, T, C).

    Uses the cheaper of two ways: the Gram matrix y y' costs T^2 (R + C), forming x' y costs T R C.
    """
    groups, positions, rows = x.shape
    columns = y.shape[2]
    if positions * (rows + columns) <= rows * columns:
        gram = torch.bmm(y, y.transpose(1, 2))
        return torch.bmm(gram, x).mul_(x).sum(1).div_(columns)
    step = max(1, _LARGEST_GRADIENT // (rows * columns))
    parts = [
        mean_square(torch.bmm(x[i : i + step].transpose(1, 2), y[i : i + step]))
        for i in range(0, groups, step)
    ]
    return torch.cat(parts)


def is_gpu(tensor: torch.Tensor) -> bool:
    return tensor.device.type == "cuda"


def mean_square(products: torch.Tensor) -> torch.Tensor:
    """Mean over the last axis of the squares of `products`, which may be overwritten.

    On a GPU one fused read is fastest. A CPU keeps the order of sums with which its recorded figures were made.
    """
    if is_gpu(products):
        return torch.linalg.vector_norm(products, dim=-1).square_().div_(products.shape[-1])
    return products.square_().mean(-1)


def scale(normalised: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """Weight (I,) that multiplies a normalised input: (sum over positions of normalised * g)^2."""
    return (normalised * g).sum(1).square_()


class Lookup:
    """Finds positions of a group that look up the same row of a table: their gradients are summed, then squared.

    Each group has as many places as positions, used or not: counting the used ones would have to wait for the device.
    """

    def __init__(self, indices: torch.Tensor, size: int):
        """`indices` (groups, positions) into a table of `size` rows."""
        groups, positions = indices.shape
        ordered, order = indices.sort(dim=1, stable=True)
        is_first = torch.ones_like(ordered)
        is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        rank = is_first.cumsum(1) - 1
        self.size = size
        self.used = torch.full_like(ordered, size).scatter_(1, rank, ordered)
        """(groups, positions): the row of each place, `size` for a place without a row."""
        start = positions * torch.arange(groups, device=indices.device).unsqueeze(1)
        self._place = (torch.empty_like(rank).scatter_(1, order, rank) + start).flatten()

    def sums(self, g: torch.Tensor) -> torch.Tensor:
        """The gradients `g` (groups, positions, width) summed by place: (groups x positions, width)."""
        return g.new_zeros(self.used.numel(), g.shape[-1]).index_add_(
            0, self._place, g.reshape(-1, g.shape[-1])
        )

    def spread(self, values: torch.Tensor, onto: torch.Tensor) -> torch.Tensor:
        """`onto` (groups, size), with the values of used places written to their rows."""
        values, unused = values.view_as(self.used), onto.new_zeros(len(onto), 1)
        return torch.cat([onto, unused], 1).scatter_(1, self.used, values)[:, : self.size]


def lookup(
    rows: Lookup,
    g: torch.Tensor,
    padding_index: int | None = None,
    head_gradient: "HeadGradient | None" = None,
) -> torch.Tensor:
    """Weight (size, D) whose rows are looked up: gradients are summed per (group, index), then squared.

    A tied head adds its own gradient of the same weight, which reaches every row.
    """
    sums = rows.sums(g)
    if padding_index is not None:
        # nn.Embedding never passes a gradient to this row
        sums.masked_fill_((rows.used == padding_index).view(-1, 1), 0)
    if head_gradient is None:
        return rows.spread(sums.square_().mean(1), g.new_zeros(len(rows.used), rows.size))
    sums += head_gradient.rows(rows)
    return rows.spread(sums.square_().mean(1), head_gradient.mean_squares)


class HeadGradient:
    """Gradient of a head's weight (V, D) per group: mean squares of all rows, and the rows of the tokens in use."""

    def __init__(self, tokens: Lookup):
        """`tokens` are the inputs; the gradient of their rows is kept, because the embedding's is added to it."""
        self._tokens = tokens
        self._kept: list[torch.Tensor] = []
        self._squares: list[torch.Tensor] = []

    def add_group(self, gradient: torch.Tensor) -> None:
        """Take the next group's dense gradient, which the caller may reuse afterwards."""
        used = self._tokens.used[len(self._squares)]
        self._kept.append(gradient[used.clamp(max=len(gradient) - 1)])
        self._squares.append(gradient.square_().mean(1))

    @property
    def mean_squares(self) -> torch.Tensor:
        return torch.stack(self._squares)

    def rows(self, tokens: Lookup) -> torch.Tensor:
        """Rows of the gradient at the places of `tokens`."""
        if not torch.equal(tokens.used, self._tokens.used):
            raise ValueError("the token embedding read other tokens than those of the rows")
        return torch.cat(self._kept)


def normalised_input(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The normalised input, which a LayerNorm or an RMSNorm multiplies by its weight."""
    if isinstance(module, nn.LayerNorm):
        return nn.functional.layer_norm(x, module.normalized_shape, None, None, module.eps)
    epsilon = getattr(module, "variance_epsilon", getattr(module, "eps", None)) or 0.0
    wide = x if x.dtype == torch.float64 else x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)).to(x.dtype)


def recognised(module: nn.Module, x: torch.Tensor, output: torch.Tensor) -> str | None:
    """The formula of a module that turned `x` into `output`: conv1d, linear, scale, lookup, or None.

    Modules are recognised by their outputs, not only by their classes: every architecture has its own classes, and a
    subclass may do more than its base class.
    """
    if isinstance(module, nn.Linear):
        return "linear" if _close(nn.functional.linear(x, module.weight, module.bias), output) else None
    if isinstance(module, Conv1D):
        return "conv1d" if _close(x @ module.weight + module.bias, output) else None
    if isinstance(module, nn.Embedding):
        # Some subclasses compute the indices from what they are given, which may lie outside of the table.
        are_indices = not x.is_floating_point() and 0 <= int(x.min()) <= int(x.max()) < module.num_embeddings
        is_plain = are_indices and not module.scale_grad_by_freq and module.max_norm is None
        return "lookup" if is_plain and _close(nn.functional.embedding(x, module.weight), output) else None
    weight = module.weight
    if "Norm" in type(module).__name__ and isinstance(weight, nn.Parameter) and weight.ndim == 1:
        normalised = normalised_input(module, x)
        if normalised.shape[-1:] == weight.shape:
            bias = getattr(module, "bias", None)
            shift = 0.0 if bias is None else bias
            for factor in (weight, 1 + weight):  # some families store the weight minus one
                if _close(normalised * factor + shift, output):
                    return "scale"
    return None


def _close(expected: torch.Tensor, output: torch.Tensor) -> bool:
    is_half = output.dtype in (torch.bfloat16, torch.float16)
    relative, absolute = (2e-2, 1e-2) if is_half else (1e-3, 1e-4)
    return expected.shape == output.shape and torch.allclose(
        expected.double(), output.double(), rtol=relative, atol=absolute
    )

"""The output head, and its fit to the rows."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from transformers import PreTrainedModel

from workflow_scripts.fisher.hardware import there
from workflow_scripts.fisher.reading import Reading

LEARNING_RATE = 5e-5
EPSILON = 1e-8
WEIGHT_DECAY = 1e-4


@contextmanager
def working_head(model: PreTrainedModel, tied: bool) -> Iterator[nn.Module]:
    """A head that may be changed; the model is restored when the block ends.

    An untied head is replaced by a copy. A tied head is used itself, and its weights are restored.
    """
    head = model.get_output_embeddings()
    if tied:
        before = {name: value.clone() for name, value in head.state_dict().items()}
        try:
            yield head
        finally:
            head.load_state_dict(before)
        return
    name = next(name for name, module in model.named_modules() if module is head)
    own = copy.deepcopy(head)
    model.set_submodule(name, own)
    try:
        yield own
    finally:
        model.set_submodule(name, head)


def optimiser(head: nn.Module) -> torch.optim.Optimizer:
    """AdamW as released: constant learning rate."""
    return torch.optim.AdamW(
        head.parameters(), lr=LEARNING_RATE, eps=EPSILON, weight_decay=WEIGHT_DECAY, fused=True
    )


@torch.no_grad()
def fit_on_features(
    head: nn.Linear,
    features: Sequence[torch.Tensor],
    labels: Sequence[torch.Tensor],
    epochs: int,
    minibatch: int,
) -> None:
    """Fit the head to next tokens, given each row's scored hidden states (n, D) and labels (n,).

    The body is frozen, so its features are computed once. The gradient of the mean cross-entropy with respect to
    the logits is (p - onehot) / n, and the backward pass ends at the head's weight.
    """
    weight, bias = head.weight, head.bias
    weight.grad = torch.empty_like(weight)
    if bias is not None:
        bias.grad = torch.empty_like(bias)
    step = optimiser(head)
    for _ in range(epochs):
        for start in range(0, len(features), minibatch):
            x = torch.cat(list(features[start : start + minibatch]))
            y = torch.cat(list(labels[start : start + minibatch]))
            if not len(y):
                continue
            error = torch.softmax(head(x), dim=-1)
            error[torch.arange(len(y), device=y.device), y] -= 1
            error /= len(y)
            torch.mm(error.T, x, out=weight.grad)
            if bias is not None:
                torch.sum(error, 0, out=bias.grad)
            step.step()
    weight.grad = None
    if bias is not None:
        bias.grad = None


def fit_through_model(
    model: PreTrainedModel, head: nn.Module, reading: Reading, epochs: int, minibatch: int, microbatch: int
) -> None:
    """The same fit if features change between steps: a tied head changes the input embedding, or dropout is on.

    Only the head's weights get a gradient. A step sums the gradients of its micro-batches.
    """
    device = model.device
    for parameter in head.parameters():
        parameter.requires_grad_()
    step = optimiser(head)
    with torch.enable_grad():
        for _ in range(epochs):
            for rows in torch.arange(len(reading.ids)).split(minibatch):
                total = int(reading.is_fitted[rows, 1:].sum())
                if not total:
                    continue
                for part in map(reading.take, rows.split(microbatch)):
                    kept = part.is_fitted[:, 1:]
                    if not kept.any():
                        continue
                    mask = part.attention_mask
                    logits = model(
                        input_ids=there(part.ids, device),
                        attention_mask=None if mask is None else there(mask, device),
                        use_cache=False,
                    ).logits
                    place = tuple(there(index, device) for index in kept.nonzero(as_tuple=True))
                    labels = there(part.ids[:, 1:][kept], device)
                    mean = nn.functional.cross_entropy(logits[:, :-1][place], labels)
                    (mean * (len(labels) / total)).backward()
                step.step()
                step.zero_grad()
    for parameter in head.parameters():
        parameter.requires_grad_(False)

"""Observe each module's input and the gradient of its output, without forming weight gradients."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from workflow_scripts.fisher import contributions
from workflow_scripts.fisher.contributions import HeadGradient, Lookup
from workflow_scripts.fisher.hardware import arithmetic, arithmetic_of_squares, wide
from workflow_scripts.fisher.layout import EXPERTS, Entry
from workflow_scripts.fisher.layout import entries as entries_of

logger = logging.getLogger(__name__)

_SURVEY_ROWS, _SURVEY_LENGTH = 5, 3

Observer = Callable[[Entry, torch.Tensor, torch.Tensor], None]


class Squares:
    """Adds squared gradients of one pass to `totals` during the backward pass."""

    def __init__(self, formulas: dict[str, str], totals: torch.Tensor, groups: int):
        """`formulas` maps an entry's name to its formula, as `survey` found it; `totals` is (draws, coordinates).

        The rows of the pass make `groups` squares.
        """
        self.formulas, self.totals, self.groups = formulas, totals, groups
        self._draw: int | None = None
        self._head_gradient: HeadGradient | None = None

    @contextmanager
    def of_draw(self, draw: int, head_gradient: HeadGradient | None) -> Iterator[None]:
        """Backward passes within the block belong to this draw. A tied head's gradient is added to the embedding's."""
        self._draw, self._head_gradient = draw, head_gradient
        try:
            yield
        finally:
            self._draw, self._head_gradient = None, None

    def observe(self, entry: Entry, x: torch.Tensor, output: torch.Tensor) -> None:
        """Square the gradient of the output that the entry's module gave for `x`, when it arrives."""
        module: Any = entry.module
        is_lookup = self.formulas[entry.name] == "lookup"
        # All draws look up the same rows, so the lookup is prepared once.
        rows = Lookup(x.reshape(self.groups, -1), module.num_embeddings) if is_lookup else None
        # Read here, because on a GPU the backward pass runs in another thread.
        is_half = torch.is_autocast_enabled(output.device.type)
        output.register_hook(partial(self._add, entry, x, rows, is_half))

    @torch.no_grad()
    def _add(
        self, entry: Entry, x: torch.Tensor, rows: Lookup | None, is_half: bool, gradient: torch.Tensor
    ) -> None:
        if self._draw is None:
            raise RuntimeError("a gradient flowed back outside of of_draw")
        formula = self.formulas[entry.name]
        x, gradient = wide(x), wide(gradient)
        g = gradient.reshape(self.groups, -1, gradient.shape[-1])
        module: Any = entry.module
        with arithmetic_of_squares(gradient.device.type, is_half):
            if rows is not None:
                tied = self._head_gradient if entry.kind == "token" else None
                squares = contributions.lookup(rows, g, module.padding_idx, tied)
            elif formula == "scale":
                squares = contributions.scale(contributions.normalised_input(module, x).reshape_as(g), g)
            else:
                a = x.reshape(self.groups, -1, x.shape[-1])
                squares = (contributions.linear if formula == "linear" else contributions.conv1d)(a, g)
        self.totals[self._draw, entry.coordinates] += squares.sum(0, dtype=self.totals.dtype)


@contextmanager
def observed(entries: Sequence[Entry], rows: int, observer: Observer) -> Iterator[None]:
    """Call `observer(entry, input, output)` at each call of the entries' modules.

    The output requires a gradient and has one copy per row. The graph starts here for frozen embeddings. Outputs
    that a module computes once for all rows (positions) are expanded, which keeps the gradient of each row.
    """

    def hook(entry: Entry, _module: nn.Module, inputs: tuple, keywords: dict, output: Any) -> Any:
        if not torch.is_grad_enabled():
            return None
        x = inputs[0] if inputs else next(iter(keywords.values()))
        if not isinstance(output, torch.Tensor) or not isinstance(x, torch.Tensor):
            observer(entry, torch.empty(0), torch.empty(0))
            return None
        if not output.requires_grad:
            # A copy, because some models scale their embeddings in place, and a leaf forbids that.
            output = output.detach().requires_grad_().clone()
        if output.shape[0] == 1 < rows:
            output = output.expand(rows, *output.shape[1:])
            x = x.expand(rows, *x.shape[1:])
        observer(entry, x.detach(), output)
        return output

    handles = [
        entry.module.register_forward_hook(partial(hook, entry), with_kwargs=True) for entry in entries
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class Route:
    """How the gradient of each weight of a probe is obtained."""

    entries: list[Entry]
    formulas: dict[str, str]
    """Formula of each entry, by the entry's name."""
    generic: list[Entry]
    """Entries without a formula."""
    is_direct: bool
    """True if the logits are exactly the output head applied to the last hidden state of the body."""
    obeys_mask: bool
    """True if a token that the attention mask hides changes nothing at later positions."""

    @property
    def by_formula(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.name in self.formulas]

    def with_tied_head(self, model: PreTrainedModel) -> "Route":
        """The route if the score also reaches the token embedding through the head.

        If the head's gradient cannot be added to the embedding's, plain autograd computes their sum.
        """
        tokens = model.get_input_embeddings()
        if self.is_direct and all(entry.module is not tokens for entry in self.generic):
            return self
        moved = [entry for entry in self.by_formula if entry.module is tokens]
        names = {entry.name for entry in moved}
        formulas = {name: formula for name, formula in self.formulas.items() if name not in names}
        return replace(self, formulas=formulas, generic=[*self.generic, *moved], is_direct=False)


def survey(model: PreTrainedModel) -> Route:
    """Run a few tokens through the probe to find its route; warns of each weight that needs plain autograd."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        # Formulas are recognised by comparing numbers, and lower precision would blur them.
        with arithmetic("float32", model.device):
            return _surveyed(model, entries_of(model))
    finally:
        for module, mode in modes.items():
            module.training = mode


def _surveyed(model: PreTrainedModel, entries: list[Entry]) -> Route:
    calls: dict[str, list[tuple[torch.Tensor, torch.Tensor, int]]] = {entry.name: [] for entry in entries}

    def note(entry: Entry, x: torch.Tensor, output: torch.Tensor) -> None:
        calls[entry.name].append((x, output.detach().clone(), x._version))

    tokens: Any = model.get_input_embeddings()
    ids = (
        torch.arange(_SURVEY_ROWS * _SURVEY_LENGTH, device=model.device)
        .mul_(7)
        .remainder_(tokens.weight.shape[0])
    )
    ids = ids.view(_SURVEY_ROWS, _SURVEY_LENGTH)
    mask = torch.ones_like(ids)
    by_weight = [entry for entry in entries if entry.kind not in ("other", EXPERTS) and not entry.is_shared]
    with torch.enable_grad(), observed(by_weight, _SURVEY_ROWS, note):
        hidden = body_output(model, ids, mask)
    is_direct = False
    if hidden is not None:
        head: Any = model.get_output_embeddings()
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
            is_direct = head.weight.shape[-1] == hidden.shape[-1] and torch.allclose(
                head(hidden).float(), logits.float(), rtol=1e-3, atol=1e-4
            )
    else:
        with torch.enable_grad(), observed(by_weight, _SURVEY_ROWS, note):
            model(input_ids=ids, attention_mask=mask, use_cache=False)

    formulas, generic = {}, []
    for entry in entries:
        formula, reason = _formula(entry, calls[entry.name])
        if formula is None:
            generic.append(entry)
            logger.warning(
                "%s uses plain autograd, which is slow: %s", entry.name or "the model itself", reason
            )
        else:
            formulas[entry.name] = formula
    if not is_direct:
        logger.warning(
            "the logits are more than the output head applied to the body: passes include the whole model"
        )
    return Route(entries, formulas, generic, is_direct, _obeys_mask(model, ids, mask))


@torch.no_grad()
def _obeys_mask(model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor) -> bool:
    """Whether another token at a hidden position leaves the later logits as they are; recurrent models may read it."""
    hidden = mask.clone()
    hidden[:, 1] = 0
    other = ids.clone()
    other[:, 1] = ids[:, 1].roll(1)
    first, second = (
        model(input_ids=tokens, attention_mask=hidden, use_cache=False).logits[:, 2:].float()
        for tokens in (ids, other)
    )
    return torch.allclose(first, second, rtol=1e-4, atol=1e-5 * float(first.abs().max()))


def _formula(entry: Entry, calls: list[tuple[torch.Tensor, torch.Tensor, int]]) -> tuple[str | None, str]:
    if entry.kind == EXPERTS:
        return None, "it holds the matrices of several experts, and each reads other tokens"
    if entry.kind == "other":
        return None, "the parameter is not called weight in its module"
    if entry.is_shared:
        return None, "its weight is shared with another module"
    if len(calls) != 1:
        return None, f"it is called {len(calls)} times in a pass"
    x, output, version = calls[0]
    if output.dim() < 3 or x.shape[:1] != output.shape[:1] or output.shape[0] != _SURVEY_ROWS:
        return None, f"its output of shape {tuple(output.shape)} is not separate for each row"
    if x._version != version:
        return None, "its input is overwritten later in the pass"
    formula = contributions.recognised(entry.module, x, output)
    return formula, f"no formula is known for a {type(entry.module).__name__}"


def body_output(model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor | None:
    """The last hidden state of the model without its head; None if the model has no separate body."""
    body = model.base_model
    if body is model:
        return None
    return getattr(body(input_ids=ids, attention_mask=mask, use_cache=False), "last_hidden_state", None)

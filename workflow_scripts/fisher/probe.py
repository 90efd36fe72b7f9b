"""The probe as an estimator uses it: frozen, with a tied or untied head, by the fastest available route."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from workflow_scripts.fisher.capture import Route, body_output, survey
from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.fisher.hardware import there
from workflow_scripts.fisher.reading import Reading


@dataclass(frozen=True)
class Probe:
    """A model, the route to each of its weights, and whether the score also reaches the embedding through the head."""

    model: PreTrainedModel
    route: Route
    is_tied: bool

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def head(self) -> Any:
        """The current output head; during a fit it is a copy of the model's."""
        return self.model.get_output_embeddings()

    def forward(self, chunk: Reading) -> torch.Tensor:
        """The input of the score: the body's output, or the logits if they are more than the head applied to it."""
        ids = there(chunk.ids, self.device)
        mask = chunk.attention_mask
        mask = None if mask is None else there(mask, self.device)
        if self.route.is_direct:
            hidden = body_output(self.model, ids, mask)
            assert hidden is not None
            return hidden
        return self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits


def probe_for(model: PreTrainedModel, estimator: Estimator, route: Route | None) -> Probe:
    """`route` is the result of `survey(model)`; None runs the survey."""
    route = route or survey(model)
    is_tied = estimator.tied_head and has_tied_head(model)
    return Probe(model, route.with_tied_head(model) if is_tied else route, is_tied)


def has_tied_head(model: PreTrainedModel) -> bool:
    """True if head and token embedding share their weight."""
    return model.get_output_embeddings().weight is model.get_input_embeddings().weight


def padding_token_of(model: PreTrainedModel) -> int | None:
    # Not every configuration has both.
    padding = getattr(model.config, "pad_token_id", None)
    end = getattr(model.config, "eos_token_id", None)
    if padding is not None:
        return padding
    return end if isinstance(end, int) else None


@contextmanager
def frozen(model: PreTrainedModel, dropout: bool, seed: int, names: Sequence[str]) -> Iterator[None]:
    """Freeze weights and set mode and random state; all are restored afterwards."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    modes = {module: module.training for module in model.modules()}
    digest = hashlib.sha256("\0".join([str(seed), *names]).encode()).digest()
    try:
        model.requires_grad_(False)
        model.train(dropout)
        devices = [model.device] if model.device.type == "cuda" else []
        with torch.random.fork_rng(devices, enabled=dropout):
            if dropout:
                torch.manual_seed(int.from_bytes(digest[:7], "little"))
            yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_()
        for module, mode in modes.items():
            module.training = mode

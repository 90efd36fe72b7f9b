"""Cosine of the probe's mean hidden states on two batches."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workflow_scripts.metrics.base import Batch, Features, Metric
from workflow_scripts.models.digests import model_digest
from workflow_scripts.models.loading import load_reader
from workflow_scripts.models.reading import mean_hidden_state
from workflow_scripts.training.devices import held_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class HiddenStateCosine(Metric):
    """cos(mean state of a, mean state of b), where the state is the input of the probe's output head.

    For answers the mean is over their tokens; the probe also reads the prompts before them.
    """

    name = "hidden_state_cosine"
    needs = ("rows", "probe")
    answers = True
    has_scale = False
    mixes = "exact"

    @cached_property
    def probe(self) -> "PreTrainedModel":
        assert self.resources.probe is not None
        return load_reader(self.resources.probe, held_device(self.resources.device))

    def parameters(self) -> dict[str, Any]:
        assert self.resources.probe is not None
        return {"probe": model_digest(self.resources.probe)}

    def features(self, batch: Batch) -> Features:
        assert batch.rows is not None
        return {"state": mean_hidden_state(self.probe, batch.rows, batch.compared)}

    def compare(self, source: Features, target: Features) -> float:
        a, b = source["state"], target["state"]
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    def mix(self, units: Sequence[Features], weights: np.ndarray) -> Features:
        return {"state": weights @ np.stack([unit["state"] for unit in units])}

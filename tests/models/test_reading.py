"""Reading rows with a probe: on its device, and on a device only if something is left to read."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from workflow_scripts.metrics import covariates, hidden_state_cosine
from workflow_scripts.metrics.base import Batch, Resources
from workflow_scripts.metrics.covariates import probe_losses
from workflow_scripts.metrics.hidden_state_cosine import HiddenStateCosine
from workflow_scripts.models.folders import save_model
from workflow_scripts.models.reading import mean_hidden_state, mean_loss
from workflow_scripts.storage.content_store import ContentStore
from workflow_scripts.tokens.rows import Rows


class Reached(Exception):
    pass


class Elsewhere:
    """Stands for a model on a GPU: notes where its inputs are."""

    device = torch.device("meta")
    config = GPT2Config(n_embd=8)

    @property
    def base_model(self):
        return self

    def __call__(self, input_ids, attention_mask):
        assert input_ids.device.type == attention_mask.device.type == "meta"
        raise Reached


@pytest.fixture
def rows():
    ids = np.arange(24, dtype=np.int32).reshape(3, 8)
    return Rows(["a", "b", "c"], [[]] * 3, ids, np.array([8, 8, 5], np.int32), np.ones((3, 8), bool))


@pytest.fixture
def probe(tmp_path):
    config = GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=30, n_positions=8)
    save_model(GPT2LMHeadModel(config), tmp_path / "probe")
    return tmp_path / "probe"


@pytest.fixture
def claimed(monkeypatch):
    """What the programs ask for; they get the CPU."""
    asked = []
    for module in (covariates, hidden_state_cosine):
        monkeypatch.setattr(module, "held_device", lambda name: asked.append(name) or "cpu")
    return asked


def test_inputs_are_sent_to_the_model(rows):
    with pytest.raises(Reached):
        mean_loss(Elsewhere(), rows)
    with pytest.raises(Reached):
        mean_hidden_state(Elsewhere(), rows, rows.attention_mask)


def test_a_device_is_claimed_for_the_first_loss_that_is_not_in_the_store(rows, probe, claimed, tmp_path):
    store = ContentStore(tmp_path / "store")
    first = probe_losses({"x": rows, "y": rows.take(np.array([1]))}, probe, store, "auto")
    assert claimed == ["auto"]
    assert probe_losses({"x": rows}, probe, store, "auto") == {"x": first["x"]}
    assert claimed == ["auto"]


def test_hidden_states_are_read_on_the_device_of_the_job(rows, probe, claimed):
    metric = HiddenStateCosine(Resources(probe=probe, device="auto"))
    metric.parameters()
    assert claimed == []
    metric.features(Batch(3, 21, rows=rows))
    assert claimed == ["auto"]

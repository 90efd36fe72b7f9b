"""A minibatch in parts gives the square of the whole one."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from workflow_scripts.fisher import embedding
from workflow_scripts.fisher.batch_cache import BatchCache
from workflow_scripts.fisher.embedding import embed
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.probe import Probe
from workflow_scripts.storage.content_store import ContentStore
from workflow_scripts.tokens.mixture import random_rows

ProbeMaker = Callable[..., PreTrainedModel]
RowMaker = Callable[..., tuple[torch.Tensor, torch.Tensor]]

NAMES = [f"row {number}" for number in range(6)]


def published(**options: object) -> Estimator:
    return dataclasses.replace(Estimator.published(), minibatch=4, **options)


@pytest.mark.parametrize("epochs", [0, 2])
@pytest.mark.parametrize("is_tied", [True, False])
@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3"])
def test_parts_add_up_to_the_whole_minibatch(
    name: str, is_tied: bool, epochs: int, probe: ProbeMaker, rows: RowMaker
) -> None:
    model, (ids, mask) = probe(name), rows(6, 9)
    estimator = published(dropout=False, tied_head=is_tied, label_draws=2)
    options = {"row_ids": NAMES, "head_epochs": epochs}
    whole = embed(model, ids, mask, estimator, **options, microbatch=4)
    weights = [parameter.clone() for parameter in model.parameters()]
    for microbatch in (1, 3):
        found = embed(model, ids, mask, estimator, **options, microbatch=microbatch)
        torch.testing.assert_close(found, whole, rtol=1e-6, atol=1e-12)
    assert all(map(torch.equal, weights, model.parameters()))


def test_dropout_in_parts_draws_other_masks_and_is_reproducible(probe: ProbeMaker, rows: RowMaker) -> None:
    model, (ids, mask) = probe("gpt2"), rows(6, 9)
    whole = embed(model, ids, mask, published(), row_ids=NAMES, microbatch=8)
    parts = [embed(model, ids, mask, published(), row_ids=NAMES, microbatch=2) for _ in range(2)]
    assert torch.equal(*parts)
    assert not torch.allclose(parts[0], whole, rtol=1e-3)
    assert torch.nn.functional.cosine_similarity(parts[0], whole, dim=0) > 0.9


def test_a_minibatch_of_all_rows_is_not_cut(probe: ProbeMaker, rows: RowMaker, monkeypatch) -> None:
    monkeypatch.setattr(embedding, "squares_in_parts", lambda *_: pytest.fail("cut"))
    model, (ids, mask) = probe("gpt2"), rows(3, 9)
    embed(model, ids, mask, published(), row_ids=NAMES[:3], microbatch=3)
    embed(model, ids, mask, Estimator.corrected(), row_ids=NAMES[:3], microbatch=1)


def test_the_released_measure_survives_memory_for_two_rows(probe: ProbeMaker, monkeypatch, tmp_path) -> None:
    model = probe("gpt2").float()
    rows = random_rows(8, 12, model.config.vocab_size, set(), 0, "noise.train")
    settings = [Settings(published(dropout=False), 0, 0, "float32", end_of_text=0)]

    def embedding_of(store: str) -> np.ndarray:
        cache = BatchCache.of(model, ContentStore(tmp_path / store))
        return next(cache.embed_in_turn(rows, [np.arange(8)], settings, 4)).embedding

    undisturbed, forward = embedding_of("undisturbed"), Probe.forward

    def forward_of_few(self, chunk):
        if len(chunk.ids) > 2:
            raise torch.OutOfMemoryError("pretended")
        return forward(self, chunk)

    monkeypatch.setattr(Probe, "forward", forward_of_few)
    np.testing.assert_allclose(embedding_of("disturbed"), undisturbed, rtol=1e-4, atol=1e-12)

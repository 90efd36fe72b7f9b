"""What must not change `corrected`, and what a Fisher is: a score whose mean is zero."""

import dataclasses
import logging
from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import PreTrainedModel

from workflow_scripts.fisher.distance import distance
from workflow_scripts.fisher.embedding import embed, measure
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.labels import draw_labels, uniforms
from workflow_scripts.fisher.reading import Batch

Probe = Callable[..., PreTrainedModel]
RowMaker = Callable[..., tuple[torch.Tensor, torch.Tensor]]

few = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
@given(data=st.data())
@few
def test_microbatch_order_and_padding_do_not_matter(
    name: str, probe: Probe, rows: RowMaker, data: st.DataObject
) -> None:
    """Labels are drawn, and the head is fitted: only rounding may differ."""
    model, (ids, mask) = probe(name), rows(6, 9, seed=data.draw(st.integers(0, 99)))
    names = [f"row {i}" for i in range(6)]
    estimator = dataclasses.replace(Estimator.corrected(), label_draws=2, minibatch=4)
    epochs = data.draw(st.integers(0, 1))
    expected = embed(model, ids, mask, estimator, row_ids=names, head_epochs=epochs)
    order = data.draw(st.permutations(range(6)))
    wider = data.draw(st.integers(0, 5))
    ids = torch.nn.functional.pad(ids, (0, wider), value=data.draw(st.integers(0, 82)))[order]
    mask = torch.nn.functional.pad(mask, (0, wider))[order]
    found = embed(
        model,
        ids,
        mask,
        estimator,
        row_ids=[names[i] for i in order],
        head_epochs=epochs,
        microbatch=data.draw(st.integers(1, 7)),
    )
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_left_padding_does_not_matter(probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe("llama"), rows()  # rotary: only relative positions count
    names = [str(i) for i in range(len(ids))]
    labels = torch.randint(0, 83, ids.shape)
    expected = embed(model, ids, mask, Estimator.corrected(), labels=labels, row_ids=names)
    left_ids, left_labels, left_mask = (torch.zeros_like(x) for x in (ids, labels, mask))
    for row, n in enumerate(mask.sum(1)):
        left_ids[row, -n:], left_labels[row, -n:] = ids[row, :n], labels[row, :n]
        left_mask[row, -n:] = True
    found = embed(model, left_ids, left_mask, Estimator.corrected(), labels=left_labels, row_ids=names)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_seed_and_row_ids_choose_the_labels(probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe("gpt2"), rows()
    first = embed(model, ids, mask, Estimator.corrected())
    assert torch.equal(first, embed(model, ids, mask, Estimator.corrected()))
    assert not torch.allclose(first, embed(model, ids, mask, Estimator.corrected(), seed=1))
    assert not torch.allclose(first, embed(model, ids, mask, Estimator.corrected(), row_ids=list("abcde")))


def scores_of_rows(model: PreTrainedModel, shift: bool, draws: int) -> torch.Tensor:
    """(draws,) of one weight's score, summed over a row, with labels as the engine draws them."""
    ids = torch.arange(1, 9).unsqueeze(0)
    weight = model.transformer.h[0].mlp.c_fc.weight
    logits = model(input_ids=ids).logits[0]
    uniform = torch.from_numpy(uniforms(["row"], 8, draws, seed=0)[0])
    labels = draw_labels(torch.softmax(logits.detach(), -1), uniform).T
    found = []
    for y in labels:
        target = y[1:] if shift else y[:-1]
        score = torch.log_softmax(logits[:-1], -1).gather(1, target.unsqueeze(1)).sum()
        (gradient,) = torch.autograd.grad(score, weight, retain_graph=True)
        found.append(gradient[0, 0])
    return torch.stack(found)


def test_mean_score_is_zero_unless_labels_are_shifted(probe: Probe) -> None:
    model = probe("gpt2")
    for shift, is_zero in ((False, True), (True, False)):
        scores = scores_of_rows(model, shift, draws=600)
        t = (scores.mean() / (scores.std() / len(scores) ** 0.5)).abs()
        assert (t < 3.5) == is_zero, f"shift {shift}: t = {t:.1f}"


def test_half_precision_hardly_moves_a_distance(probe: Probe, rows: RowMaker) -> None:
    model = probe("gpt2").float()
    batches = [rows(8, 12, seed=seed) for seed in (1, 2)]
    exact, rounded = (
        [
            measure(model, Batch.of(*one), Settings(Estimator.corrected(), precision=precision)).embedding
            for one in batches
        ]
        for precision in ("float32", "bfloat16")
    )
    assert not torch.equal(exact[0], rounded[0])
    assert distance(*rounded) == pytest.approx(distance(*exact), abs=0.01)


def test_warns_of_nothing_on_known_architectures(
    probe: Probe, rows: RowMaker, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("gpt2", "neox", "llama", "qwen3"):
        model, (ids, mask) = probe(name), rows()
        with caplog.at_level(logging.WARNING, logger="workflow_scripts"):
            embed(model, ids, mask, Estimator.corrected())
    assert not [record for record in caplog.records if record.name.startswith("workflow_scripts")]

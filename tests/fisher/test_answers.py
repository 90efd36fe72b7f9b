"""The Fisher embedding of answers alone: what is read, what is scored."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from transformers import PreTrainedModel

from workflow_scripts.fisher.embedding import embed, measure
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.layout import layout
from workflow_scripts.fisher.reading import Batch, scored_positions

Probe = Callable[..., PreTrainedModel]
RowMaker = Callable[..., tuple[torch.Tensor, torch.Tensor]]
END = 82


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def answers_of(mask: torch.Tensor) -> torch.Tensor:
    """In each row the second half, but for one row without an answer and one that is an answer as a whole."""
    lengths = mask.sum(1, keepdim=True)
    places = torch.arange(mask.shape[1])
    answers = mask & (places >= lengths // 2)
    answers[1] = False
    answers[2] = mask[2]
    return answers


def brute_force(
    model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor, answers: torch.Tensor
) -> torch.Tensor:
    """One plain backward pass for each row of the loss of its answer's tokens, the head being a constant."""
    head = model.get_output_embeddings()
    states: list[torch.Tensor] = []
    handle = head.register_forward_pre_hook(lambda _module, inputs: states.append(inputs[0]))
    total, count = torch.zeros(()).double(), 0
    for row in range(len(ids)):
        places = [t for t in range(ids.shape[1] - 1) if mask[row, t + 1] and answers[row, t + 1]]
        if not places:
            continue
        states.clear()
        model(input_ids=ids[row : row + 1], attention_mask=mask[row : row + 1].long())
        bias = None if head.bias is None else head.bias.detach()
        logits = torch.nn.functional.linear(states[0][0], head.weight.detach(), bias)
        score = torch.log_softmax(logits, -1)[places, labels[row, places]].sum()
        named = dict(model.named_parameters(remove_duplicate=False))
        found = torch.autograd.grad(score, list(named.values()), allow_unused=True)
        gradients = dict(zip(named, found, strict=True))
        weights = [gradients[f"{name}.weight"] for name, _, _ in layout(model)]
        total = total + torch.cat([one.double().square().reshape(len(one), -1).mean(1) for one in weights])
        count += len(places)
    handle.remove()
    return total / count


@pytest.mark.parametrize("name", ["gpt2", "neox", "llama"])
def test_only_the_loss_of_answers_has_a_gradient(name: str, probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe(name), rows()
    answers = answers_of(mask)
    labels = torch.randint(0, 83, ids.shape, generator=torch.Generator().manual_seed(1))
    found = embed(model, ids, mask, Estimator.corrected(), labels=labels, answers=answers, microbatch=2)
    expected = brute_force(model, ids, mask, labels, answers)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=0)
    whole = embed(model, ids, mask, Estimator.corrected(), labels=labels)
    assert not torch.allclose(found, whole, rtol=1e-2)


def test_prompts_are_read_though_they_are_not_scored(probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe("gpt2"), rows()
    answers = answers_of(mask)
    names, settings = list("abcde"), Settings(Estimator.corrected())
    before = measure(model, Batch.of(ids, mask, answers=answers, row_ids=names), settings)
    other = ids.clone()
    other[0, 0] = (ids[0, 0] + 1) % 80
    after = measure(model, Batch.of(other, mask, answers=answers, row_ids=names), settings)
    assert before.n_scored == after.n_scored == int((answers & mask)[:, 1:].sum())
    assert not torch.allclose(before.embedding, after.embedding, rtol=1e-3)


def test_a_row_without_an_answer_adds_nothing(probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe("gpt2"), rows()
    answers, names, kept = answers_of(mask), list("abcde"), [0, 2, 3, 4]
    every = embed(model, ids, mask, Estimator.corrected(), answers=answers, row_ids=names)
    without = embed(
        model,
        ids[kept],
        mask[kept],
        Estimator.corrected(),
        answers=answers[kept],
        row_ids=[names[row] for row in kept],
    )
    torch.testing.assert_close(every, without, rtol=1e-6, atol=0)


def test_text_that_is_all_answer_has_the_embedding_of_the_whole(probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe("gpt2"), rows()
    ids[0, 3] = END
    given = {"head_epochs": 1, "end_of_text": END}
    whole = embed(model, ids, mask, Estimator.corrected(), **given)
    assert torch.equal(embed(model, ids, mask, Estimator.corrected(), answers=mask, **given), whole)


def test_the_head_is_fitted_to_the_answers_alone(probe: Probe, rows: RowMaker) -> None:
    """What stands behind the only answer is neither read where that is scored, nor learnt."""
    model, (ids, mask) = probe("gpt2"), rows()
    answers = torch.zeros_like(mask)
    answers[:, 1] = mask[:, 1]
    other = ids.clone()
    other[:, 2:] = (ids[:, 2:] + 7) % 80
    estimator = dataclasses.replace(Estimator.corrected(), label_draws=1)
    found = [
        embed(model, one, mask, estimator, answers=answers, head_epochs=2, row_ids=list("abcde"))
        for one in (ids, other)
    ]
    torch.testing.assert_close(*found, rtol=1e-6, atol=0)


def test_neither_ends_of_text_nor_the_positions_before_prompts_are_scored() -> None:
    is_real = torch.tensor([[True, True, True, True, True, False]])
    is_hidden = torch.tensor([[False, False, False, True, False, False]])
    answers = torch.tensor([[False, False, True, True, False, False]])
    found = scored_positions(is_real, is_hidden, Estimator.corrected(), answers)
    assert found.tolist() == [[False, True, False, False, False, False]]


def test_a_batch_without_answers_is_refused(probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe("gpt2"), rows()
    with pytest.raises(ValueError, match="or none has an answer"):
        embed(model, ids, mask, Estimator.corrected(), answers=torch.zeros_like(mask))

"""The engine against the oracle: architectures, switches, and what must not change an embedding."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from transformers import PreTrainedModel

from workflow_scripts.fisher.embedding import embed, measure
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.layout import layout
from workflow_scripts.fisher.reading import Batch

Probe = Callable[..., PreTrainedModel]
Oracle = Callable[..., torch.Tensor]
RowMaker = Callable[..., tuple[torch.Tensor, torch.Tensor]]

SWITCHES = [
    {"label_shift": True},
    {"score_padding": True},
    {"square": "minibatch", "minibatch": 2},
    {"tied_head": True},
    {"label_shift": True, "score_padding": True, "square": "minibatch", "minibatch": 2, "tied_head": True},
]


def random_labels(ids: torch.Tensor, draws: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, 83, (draws, *ids.shape), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", ["gpt2", "gpt2_gram", "neox", "llama", "qwen3"])
def test_architectures_match_the_oracle(name: str, probe: Probe, rows: RowMaker, oracle: Oracle) -> None:
    model, (ids, mask) = probe(name), rows()
    labels = random_labels(ids, 2)
    expected = oracle(model, ids, mask, labels, Estimator.corrected())
    found = embed(model, ids, mask, Estimator.corrected(), labels=labels, microbatch=2)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("change", SWITCHES, ids=lambda change: "+".join(change))
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_every_switch_matches_the_oracle(
    name: str, change: dict, probe: Probe, rows: RowMaker, oracle: Oracle
) -> None:
    estimator = dataclasses.replace(Estimator.corrected(), **change)
    model, (ids, mask) = probe(name), rows()
    labels = random_labels(ids, 2)
    expected = oracle(model, ids, mask, labels, estimator)
    torch.testing.assert_close(
        embed(model, ids, mask, estimator, labels=labels), expected.float(), rtol=1e-5, atol=0
    )


def rows_with_ends(rows: RowMaker, end: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ends of text at the beginning of a row, in its middle, at its end, twice in turn, and in every place but two."""
    ids, mask = rows()
    ids[0, 0] = ids[1, 1] = ids[2, mask[2].sum() - 1] = ids[0, 5] = ids[0, 6] = end
    ids[4, :-2], mask[4] = end, True
    return ids, mask


@pytest.mark.parametrize("change", [{}, *SWITCHES], ids=lambda change: "+".join(change) or "corrected")
@pytest.mark.parametrize(("name", "end"), [("gpt2", 82), ("gpt2", 0), ("neox", 82), ("llama", 0)])
def test_ends_of_text_are_hidden(
    name: str, end: int, change: dict, probe: Probe, rows: RowMaker, oracle: Oracle
) -> None:
    """Padding is no end, though its token be the same: 0."""
    estimator = dataclasses.replace(Estimator.corrected(), **change)
    model, (ids, mask) = probe(name), rows_with_ends(rows, end)
    labels = random_labels(ids, 2)
    expected = oracle(model, ids, mask, labels, estimator, hidden=mask & (ids == end))
    found = embed(model, ids, mask, estimator, labels=labels, end_of_text=end)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=0)
    reads = dataclasses.replace(estimator, hide_ends=False)
    torch.testing.assert_close(
        embed(model, ids, mask, reads, labels=labels, end_of_text=end),
        oracle(model, ids, mask, labels, estimator).float(),
        rtol=1e-5,
        atol=0,
    )


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_hidden_end_can_be_any_token(name: str, probe: Probe, rows: RowMaker) -> None:
    """Nothing of it enters: neither its embedding, nor what the probe predicts from it, nor a fitted head."""
    found = []
    for end in (81, 82):
        model, (ids, mask) = probe(name), rows_with_ends(rows, end)
        names = list("abcde")
        found.append(
            embed(model, ids, mask, Estimator.corrected(), row_ids=names, head_epochs=1, end_of_text=end)
        )
    torch.testing.assert_close(*found, rtol=1e-9, atol=0)
    assert found[0][81] == found[0][82] == 0


def test_padding_token_without_a_gradient(rows: RowMaker, probe: Probe, oracle: Oracle) -> None:
    """An embedding with a padding index passes no gradient to that token's row, even where the token is real."""
    model, (ids, mask) = probe("llama"), rows()
    model.get_input_embeddings().padding_idx = 7
    ids[:, 1] = 7
    labels = random_labels(ids, 1)
    found = embed(model, ids, mask, Estimator.corrected(), labels=labels)
    assert found[7] == 0
    expected = oracle(model, ids, mask, labels, Estimator.corrected())
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=0)


def test_each_switch_changes_the_embedding(probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe("gpt2"), rows()
    changes = [*SWITCHES[:4], {"dropout": True}, {"label_draws": 2}]
    found = [embed(model, ids, mask, Estimator.corrected())]
    found += [embed(model, ids, mask, dataclasses.replace(Estimator.corrected(), **c)) for c in changes]
    for i, first in enumerate(found):
        for second in found[:i]:
            assert not torch.allclose(first, second, rtol=1e-3)


def test_the_model_comes_back_as_it_was(probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe("gpt2"), rows()
    model.train()
    model.transformer.h[0].eval()
    model.transformer.wpe.weight.requires_grad_(False)
    head = model.lm_head
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    for estimator in (Estimator.corrected(), Estimator.published()):
        embed(model, ids, mask, estimator, head_epochs=1)
    assert model.training
    assert not model.transformer.h[0].training
    assert model.lm_head is head
    assert head.weight is model.transformer.wte.weight
    assert not model.transformer.wpe.weight.requires_grad
    assert model.transformer.wte.weight.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_head_fit_is_that_of_an_untied_copy(name: str, probe: Probe, rows: RowMaker, oracle: Oracle) -> None:
    """AdamW on a copy of the head with plain autograd, in the order of row ids, then the oracle."""
    model, (ids, mask) = probe(name), rows()
    estimator = dataclasses.replace(Estimator.corrected(), minibatch=2)
    names = ["d", "b", "e", "a", "c"]
    labels = random_labels(ids, 1)
    found = embed(model, ids, mask, estimator, labels=labels, head_epochs=2, row_ids=names)

    order = sorted(range(5), key=lambda row: names[row])
    weight = torch.nn.Parameter(model.get_output_embeddings().weight.detach().clone())
    step = torch.optim.AdamW([weight], lr=5e-5, eps=1e-8, weight_decay=1e-4)
    for _ in range(2):
        for part in torch.tensor(order).split(2):
            with torch.no_grad():
                states = model.base_model(input_ids=ids[part]).last_hidden_state
            kept = mask[part, 1:]
            loss = torch.nn.functional.cross_entropy((states[:, :-1] @ weight.T)[kept], ids[part, 1:][kept])
            step.zero_grad()
            loss.backward()
            step.step()
    own = torch.nn.Linear(*reversed(weight.shape), bias=False, dtype=torch.float64)
    own.weight = weight
    model.set_output_embeddings(own)
    expected = oracle(model, ids, mask, labels, estimator)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=0)


def test_more_head_epochs_move_the_embedding(probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe("gpt2"), rows()
    none, one = (embed(model, ids, mask, Estimator.corrected(), head_epochs=epochs) for epochs in (0, 1))
    assert not torch.allclose(none, one, rtol=1e-6)


def test_draws_are_averaged(probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe("gpt2"), rows()
    labels = random_labels(ids, 3)
    whole = measure(model, Batch.of(ids, mask, labels=labels), Settings(Estimator.corrected()))
    alone = [embed(model, ids, mask, Estimator.corrected(), labels=one) for one in labels]
    torch.testing.assert_close(whole.by_draw, torch.stack(alone))
    torch.testing.assert_close(whole.embedding, torch.stack(alone).mean(0))
    assert whole.n_scored == int(mask[:, 1:].sum())


def test_dropout_depends_on_seed_and_rows_alone(probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe("gpt2"), rows()
    first, again = (embed(model, ids, mask, Estimator.published(), head_epochs=1) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, embed(model, ids, mask, Estimator.published(), head_epochs=1, seed=1))


def test_layout_covers_the_embedding(probe: Probe, rows: RowMaker) -> None:
    model, (ids, mask) = probe("gpt2"), rows()
    places = layout(model)
    assert [place.start for _, _, place in places] == [0, *(place.stop for _, _, place in places[:-1])]
    assert places[-1][2].stop == len(embed(model, ids, mask, Estimator.corrected()))
    kinds = {name: kind for name, kind, _ in places}
    assert kinds["transformer.wte"] == "token"
    assert kinds["transformer.wpe"] == "position"
    assert kinds["transformer.h.0.ln_1"] == "norm"
    assert kinds["transformer.h.1.mlp.c_fc"] == "linear"
    assert "lm_head" not in kinds

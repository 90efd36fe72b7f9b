import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.errors import UserError
from workflow_scripts.models.fresh import new_model
from workflow_scripts.tokens.tokenizer import load_tokenizer
from workflow_scripts.training import evaluation
from workflow_scripts.training.evaluation import (
    EvaluationSettings,
    choose_documents,
    loss_rows,
    score,
    windows_of,
)

TEXT = "the proof of the lemma is a boat on the water "


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder):
    return load_tokenizer(str(tokenizer_folder))


@pytest.fixture(scope="module")
def model(tokenizer):
    settings = {"n_embd": 16, "n_layer": 2, "n_head": 2, "initializer_range": 0.5}
    return new_model({"type": "gpt2", "settings": settings}, tokenizer, 16, seed=0)


def documents_of(*texts):
    pairs = [text if isinstance(text, tuple) else (None, None) for text in texts]
    return pd.DataFrame(
        {
            "doc_id": [f"d{i}" for i in range(len(texts))],
            "text": ["".join(text) for text in texts],
            "prompt": [prompt for prompt, _ in pairs],
            "completion": [completion for _, completion in pairs],
        }
    )


@given(st.integers(0, 90), st.integers(2, 20).flatmap(lambda c: st.tuples(st.just(c), st.integers(1, c - 1))))
def test_windows_score_every_token_but_the_first_once_with_enough_context(length, window):
    context, stride = window
    windows = windows_of([length], context, stride)
    scored = [t for w in windows for t in range(w.scored, w.end)]
    assert scored == list(range(1, length))
    for w in windows:
        assert w.end - w.start <= context
        assert w.scored - w.start >= (1 if w.start == 0 else context - stride)


def test_losses_are_those_of_single_tokens(model, tokenizer):
    """Against one forward pass per token, with the context that the windows rule gives it."""
    settings = EvaluationSettings(tokens=10_000, context=16, stride=5)
    documents = documents_of(TEXT * 3, ("the proof of ", "the lemma"), TEXT[:9], TEXT * 2)
    chosen = choose_documents(documents, tokenizer, settings, "x")
    totals = score(model, chosen)
    for i, document in enumerate(chosen.documents):
        ids = torch.tensor(document.input_ids.astype(np.int64))
        whole = answer = 0.0
        for t in range(1, len(ids)):
            start = 0 if t < 16 else 5 * ((t - 16) // 5 + 1)
            with torch.no_grad():
                nll = -float(torch.log_softmax(model(ids[None, start:t]).logits[0, -1], -1)[ids[t]])
            whole += nll
            answer += nll * bool(document.answer[t])
        assert totals["whole"][i] == pytest.approx(whole, rel=1e-5)
        assert totals["answer"][i] == pytest.approx(answer, rel=1e-5)


def test_batches_do_not_matter(model, tokenizer, monkeypatch):
    settings = EvaluationSettings(tokens=10_000, context=16, stride=8)
    chosen = choose_documents(documents_of(*[TEXT[i:] * 2 for i in range(9)]), tokenizer, settings, "x")
    together = score(model, chosen)["whole"]
    monkeypatch.setitem(evaluation.TOKENS_PER_BATCH, "cpu", 1)
    assert score(model, chosen)["whole"] == pytest.approx(together, rel=1e-6)


def test_windows_that_a_model_cannot_read_are_refused(model, tokenizer):
    chosen = choose_documents(documents_of(TEXT), tokenizer, EvaluationSettings(context=17, stride=8), "x")
    with pytest.raises(UserError, match="context is 17, but the model reads at most 16 tokens"):
        score(model, chosen)


def test_rows_count_tokens_and_bytes_and_only_pairs_have_answers(tokenizer):
    documents = documents_of("the boat é", ("the sum ", "of values"))
    chosen = choose_documents(documents, tokenizer, EvaluationSettings(), "x")
    order = [document.doc_id for document in chosen.documents]
    totals = {"whole": np.array([1.0, 2.0]), "answer": np.array([3.0, 4.0])}
    rows = loss_rows(chosen, totals).set_index(["part", "doc_id"])
    assert set(rows.index) == {("whole", "d0"), ("whole", "d1"), ("answer", "d1")}
    assert rows.loc[("whole", "d0"), "n_bytes"] == 11
    assert rows.loc[("answer", "d1"), "n_bytes"] == len("of values")
    assert rows.loc[("answer", "d1"), "nll"] == totals["answer"][order.index("d1")]
    n_answer = len(tokenizer("of values")["input_ids"]) + 1
    n_whole = len(tokenizer("the sum ")["input_ids"]) + n_answer - 1
    assert rows.loc[("answer", "d1"), "n_tokens"] == n_answer
    assert rows.loc[("whole", "d1"), "n_tokens"] == n_whole


def test_documents_are_whole_in_seeded_order_and_the_one_that_reaches_the_cap_is_taken(tokenizer):
    documents = documents_of(*[f"{TEXT}{i}" for i in range(200)])
    settings = EvaluationSettings(tokens=300)
    chosen = choose_documents(documents, tokenizer, settings, "x").documents
    lengths = [len(document.input_ids) for document in chosen]
    assert sum(lengths[:-1]) < 300 <= sum(lengths)
    again = choose_documents(documents, tokenizer, settings, "x").documents
    assert [one.doc_id for one in chosen] == [one.doc_id for one in again]
    more = choose_documents(documents, tokenizer, EvaluationSettings(tokens=600), "x").documents
    assert [one.doc_id for one in more][: len(chosen)] == [one.doc_id for one in chosen]
    other = choose_documents(documents, tokenizer, EvaluationSettings(tokens=300, seed=1), "x").documents
    assert [one.doc_id for one in chosen] != [one.doc_id for one in other]


def test_pieces_come_from_every_document_before_a_second_from_any(tokenizer):
    documents = documents_of(*[TEXT * n for n in (1, 40, 30, 20, 25)])
    settings = EvaluationSettings(tokens=120, context=16, stride=8, piece=16)
    pieces = choose_documents(documents, tokenizer, settings, "x").documents
    names = [piece.doc_id for piece in pieces]
    assert sorted(names[:5]) == ["d0", "d1", "d2", "d3", "d4"]
    lengths = [len(piece.input_ids) for piece in pieces]
    assert max(lengths) == 16 and sum(lengths[:-1]) < 120 <= sum(lengths)
    every = choose_documents(
        documents, tokenizer, EvaluationSettings(tokens=None, context=16, stride=8, piece=16), "x"
    ).documents
    for name, text in zip(documents["doc_id"], documents["text"], strict=True):
        whole = [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]
        taken = sorted(i for one in every if one.doc_id == name for i in one.input_ids.tolist())
        # A rest of one token has nothing to score.
        assert taken == sorted(whole if len(whole) % 16 != 1 else whole[:-1])
    assert [one.input_ids.tolist() for one in every[: len(pieces)]] == [
        one.input_ids.tolist() for one in pieces
    ]


def test_the_pieces_of_a_document_are_one_row_and_a_diverged_one_is_seen(tokenizer):
    settings = EvaluationSettings(tokens=None, context=16, stride=8, piece=16, parts=("whole",))
    chosen = choose_documents(documents_of(TEXT, TEXT * 20), tokenizer, settings, "x")
    nll = np.arange(1.0, len(chosen.documents) + 1)
    rows = loss_rows(chosen, {"whole": nll}).set_index("doc_id")
    long = np.array([piece.doc_id == "d1" for piece in chosen.documents])
    assert len(rows) == 2 and long.sum() > 2
    assert rows.loc["d1", "nll"] == nll[long].sum()
    lengths = [len(piece.input_ids) for piece in chosen.documents if piece.doc_id == "d1"]
    assert rows.loc["d1", "n_tokens"] == sum(lengths) - len(lengths)
    nll[np.flatnonzero(long)[0]] = np.nan
    assert np.isnan(loss_rows(chosen, {"whole": nll}).set_index("doc_id").loc["d1", "nll"])


@pytest.mark.parametrize("other", [{"layout": "packed"}, {"documents": "first"}])
def test_pieces_of_what_is_no_whole_document_are_refused(other):
    with pytest.raises(UserError, match="piece cuts documents"):
        EvaluationSettings.from_dict({**other, "piece": 16})


def test_documents_beyond_the_cap_are_passed_over(tokenizer):
    chosen = choose_documents(
        documents_of(TEXT * 50, "the sum"), tokenizer, EvaluationSettings(tokens=50), "x"
    )
    assert [document.doc_id for document in chosen.documents] == ["d1"]
    with pytest.raises(UserError, match="none of its 1 documents has 2 to 50 tokens"):
        choose_documents(documents_of(TEXT * 50), tokenizer, EvaluationSettings(tokens=50), "x")
    with pytest.raises(UserError, match="'x' has no documents"):
        choose_documents(documents_of(), tokenizer, EvaluationSettings(), "x")


def test_the_first_document_alone(tokenizer):
    settings = EvaluationSettings.from_dict({"documents": "first", "tokens": 3})
    chosen = choose_documents(documents_of(TEXT, "the sum"), tokenizer, settings, "x")
    assert [document.doc_id for document in chosen.documents] == ["d0"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"token": 1}, "unknown key 'token'"),
        ({"tokens": 1}, "tokens is 1; it must be a whole number from 2"),
        ({"stride": 128}, "stride is 128; it must be below the context, 128"),
        ({"parts": ["head"]}, "allowed are whole, answer"),
        ({"documents": "last"}, "documents is 'last'; allowed are null and 'first'"),
    ],
)
def test_settings_are_checked(values, message):
    with pytest.raises(UserError) as mistake:
        EvaluationSettings.from_dict(values)
    assert message in str(mistake.value)


def test_all_documents_are_taken_without_a_cap(tokenizer):
    documents = documents_of(*[TEXT * n for n in range(1, 9)])
    settings = EvaluationSettings.from_dict({"tokens": None, "context": 16, "stride": 8})
    assert {d.doc_id for d in choose_documents(documents, tokenizer, settings, "x").documents} == set(
        documents["doc_id"]
    )


def test_packed_blocks_hold_the_documents_in_their_order(tokenizer, model):
    documents = documents_of(TEXT * 2, ("the proof of ", "the lemma"), TEXT)
    settings = EvaluationSettings.from_dict(
        {"tokens": None, "context": 16, "stride": 8, "layout": "packed", "documents": None}
    )
    packed = choose_documents(documents, tokenizer, settings, "x")
    whole = choose_documents(
        documents, tokenizer, EvaluationSettings(tokens=None, context=16, stride=8), "x"
    ).documents
    stream = np.concatenate([next(d for d in whole if d.doc_id == f"d{i}").input_ids for i in range(3)])
    n = len(stream) // 16
    assert n >= 3
    assert np.array_equal(np.concatenate([block.input_ids for block in packed.documents]), stream[: n * 16])
    losses = loss_rows(packed, score(model, packed))
    assert set(losses.loc[losses["part"] == "whole", "n_tokens"]) == {15}
    one = EvaluationSettings.from_dict({"tokens": 20, "context": 16, "stride": 8, "layout": "packed"})
    assert len(choose_documents(documents, tokenizer, one, "x").documents) == 1
    with pytest.raises(UserError, match="do not fill one block of 16 tokens"):
        choose_documents(documents_of("the"), tokenizer, one, "x")
    with pytest.raises(UserError, match="layout is 'rows'; allowed are documents, packed"):
        EvaluationSettings.from_dict({"layout": "rows"})

"""What the length of documents does to the Fisher measures: the same text, in long documents and in short ones."""

import dataclasses

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from workflow_scripts.fisher.embedding import embed
from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.metrics.base import Batch
from workflow_scripts.metrics.intervals import between_sets
from workflow_scripts.metrics.registry import metric_class
from workflow_scripts.tokens.encode import EncodedDocument
from workflow_scripts.tokens.layouts import one_row_each, pack
from workflow_scripts.tokens.rows import joined

BATCHES, ROWS, LENGTH, END = 4, 16, 64, 0
LONG, SHORT = 600, 8  # tokens of a document, without its end


def documents(stream, tokens):
    for start in range(0, len(stream), tokens):
        ids = np.append(stream[start : start + tokens], END)
        yield EncodedDocument(f"{start}", ids, np.ones(len(ids), dtype=bool), 0, 0)


@pytest.fixture(scope="module")
def stream(texts, tokenizer):
    """Two halves of the tokens of one text."""
    return np.array_split(np.array(tokenizer(texts["prose"], verbose=False)["input_ids"]), 2)


@pytest.fixture(scope="module")
def measured(stream, probe, resources):
    """Alignment of the first half, in documents of so many tokens, to the second, in long ones: (point, interval)."""
    model = AutoModelForCausalLM.from_pretrained(probe).eval()
    with torch.no_grad():
        model.transformer.wte.weight[END] *= 100  # nobody overlooks it, as trained probes do not
    torch.set_num_threads(1)

    def batches(tokens, half, layout, estimator):
        pieces = documents(stream[half], tokens)
        portions = (
            pack(pieces, LENGTH, str(half))
            if layout == "packed"
            else one_row_each(pieces, LENGTH, END, str(half))
        )
        rows = joined(list(portions))
        order = np.random.default_rng(half).permutation(len(rows))[: BATCHES * ROWS]
        for index in np.array_split(order, BATCHES):
            one = rows.take(index)
            embedding = embed(
                model,
                torch.from_numpy(one.input_ids).long(),
                torch.from_numpy(one.attention_mask),
                estimator,
                row_ids=one.row_ids,
                end_of_text=END,
            )
            yield Batch(len(one), int(one.n_tokens.sum()), embedding=embedding.numpy())

    def alignment(name, tokens, layout, **changes):
        metric = metric_class(name)(resources)
        estimator = dataclasses.replace(getattr(Estimator, metric.estimator())(), **changes)
        sides = ((tokens, 0), (LONG, 1))
        source, target = (
            [metric.features(batch) for batch in batches(length, half, layout, estimator)]
            for length, half in sides
        )
        return between_sets(metric.table(source, target))

    return alignment


def differ(first, second):
    """Whether two points are further apart than 95% intervals of independent figures allow."""
    return abs(first.point - second.point) > np.hypot(first.high - first.point, second.high - second.point)


@pytest.mark.parametrize("name", ["task2vec", "task2vec_body"])
def test_on_packed_rows_it_does_not_matter_to_the_corrected_forms(measured, name):
    assert not differ(measured(name, LONG, "packed"), measured(name, SHORT, "packed"))


def test_it_would_matter_if_ends_were_read(measured):
    long, short = (measured("task2vec_body", tokens, "packed", hide_ends=False) for tokens in (LONG, SHORT))
    assert differ(long, short)


def test_it_matters_to_the_published_form_on_padded_rows(measured):
    assert differ(*(measured("task2vec_published", tokens, "documents") for tokens in (LENGTH, SHORT)))

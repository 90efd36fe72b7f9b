"""Batches of two real corpora, and a tiny probe with random weights.

The corpora are PubMed abstracts and questions with SQL where PLUMBLINE_SHARED names the folder that holds them,
otherwise reference prose and source code that every Python installation has.
"""

import gzip
import inspect
import json
import os
import pydoc_data.topics
from pathlib import Path

import numpy as np
import pytest

from workflow_scripts.metrics.base import Batch, Resources
from workflow_scripts.metrics.inputs import decoded
from workflow_scripts.tokens.rows import Rows
from workflow_scripts.tokens.tokenizer import train_tokenizer

BATCHES, ROWS, LENGTH, VOCABULARY = 8, 8, 64, 400
CHARACTERS = 150_000  # of each corpus


def rows_of(ids, name):
    return Rows(
        [f"{name}/{i}" for i in range(len(ids))],
        [[f"{name}-{i}"] for i in range(len(ids))],
        np.asarray(ids, dtype=np.int32),
        np.full(len(ids), ids.shape[1], dtype=np.int32),
        np.ones(ids.shape, dtype=bool),
    )


def shared(name, columns):
    """The first documents of a corpus of the shared folder, as one text."""
    path = Path(os.environ["PLUMBLINE_SHARED"]) / "corpora" / f"{name}.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        records = [json.loads(line) for _, line in zip(range(2000), stream, strict=False)]
    return "\n".join(record[column] for record in records for column in columns)


@pytest.fixture(scope="session")
def texts():
    if os.environ.get("PLUMBLINE_SHARED"):
        found = {
            "prose": shared("pubmed_heldout", ["text"]),
            "code": shared("spider_sql", ["prompt", "completion"]),
        }
    else:
        found = {"prose": "\n".join(pydoc_data.topics.topics.values()), "code": inspect.getsource(inspect)}
    return {name: text[:CHARACTERS] for name, text in found.items()}


@pytest.fixture(scope="session")
def tokenizer(texts):
    return train_tokenizer(texts.values(), VOCABULARY)


@pytest.fixture(scope="session")
def tokenizer_folder(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """A folder with a GPT-2 of two small layers."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("probe")
    config = GPT2Config(vocab_size=VOCABULARY, n_positions=LENGTH, n_embd=16, n_layer=2, n_head=2)
    config.bos_token_id = config.eos_token_id = 0
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def resources(probe, tokenizer):
    return Resources(vocabulary_size=len(tokenizer), probe=probe, threads=2)


@pytest.fixture(scope="session")
def rows(texts, tokenizer):
    """Batches of rows of each text, drawn from all of it."""
    made = {}
    for name, text in texts.items():
        ids = np.array(tokenizer(text, verbose=False)["input_ids"])
        ids = ids[: len(ids) // LENGTH * LENGTH].reshape(-1, LENGTH)
        order = np.random.default_rng(0).permutation(len(ids))[: BATCHES * ROWS]
        made[name] = [
            rows_of(one, f"{name}{number}")
            for number, one in enumerate(ids[order].reshape(BATCHES, ROWS, LENGTH))
        ]
    return made


@pytest.fixture(scope="session")
def batch_of(tokenizer, probe):
    """Rows as one batch, as a metric asks for it."""
    import torch
    from transformers import AutoModelForCausalLM

    from workflow_scripts.fisher.embedding import embed
    from workflow_scripts.fisher.estimator import Estimator

    model = AutoModelForCausalLM.from_pretrained(probe).eval()
    torch.set_num_threads(1)
    embeddings = {}

    def batch(metric, one):
        if metric.estimator() is None:
            texts = decoded(one, tokenizer) if "text" in metric.needs else None
            return Batch(len(one), int(one.n_tokens.sum()), rows=one, texts=texts)
        key = (metric.estimator(), *one.row_ids)  # the slow part, which several metrics compare
        if key not in embeddings:
            embeddings[key] = embed(
                model,
                torch.from_numpy(one.input_ids).long(),
                torch.from_numpy(one.attention_mask).long(),
                getattr(Estimator, metric.estimator())(),
                row_ids=one.row_ids,
            ).numpy()
        return Batch(len(one), int(one.n_tokens.sum()), embedding=embeddings[key])

    return batch


@pytest.fixture(scope="session")
def batches(rows, batch_of):
    """Batches as a metric asks for them: by its class, a dict of name -> list of Batch."""

    def of(metric):
        return {name: [batch_of(metric, one) for one in several] for name, several in rows.items()}

    return of

"""Tiny data and models, shared by the tests of training."""

from pathlib import Path

import numpy as np
import pytest

from workflow_scripts.command_line import set_threads
from workflow_scripts.tokens.rows import Rows, write_rows
from workflow_scripts.tokens.tokenizer import train_tokenizer

set_threads(1)

VOCABULARY = 300
TINY_GPT2 = {"type": "gpt2", "settings": {"n_embd": 16, "n_layer": 1, "n_head": 2}}
TINY_RECIPE = {
    "model": TINY_GPT2,
    "tokens": [512],
    "layout": "packed",
    "context": 16,
    "batch_rows": 4,
    "warmup_steps": 2,
}


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    words = ["the proof of the lemma", "a boat on the water", "return the sum of values"]
    train_tokenizer(words * 20, VOCABULARY).save_pretrained(folder)
    return folder


@pytest.fixture
def make_rows():
    """Rows with structure that a model can learn: each id mostly follows from the one before."""

    def make(n_rows=80, length=16, n_tokens=None, seed=0):
        random = np.random.default_rng(seed)
        ids = (random.integers(0, 40, (n_rows, 1)) + 3 * np.arange(length)) % 40 + 10
        ids = np.where(random.random(ids.shape) < 0.2, random.integers(1, 60, ids.shape), ids).astype(
            np.int32
        )
        sizes = np.full(n_rows, length) if n_tokens is None else np.asarray(n_tokens)
        real = np.arange(length)[None, :] < sizes[:, None]
        return Rows(
            [f"r{i}" for i in range(n_rows)],
            [[f"d{i}"] for i in range(n_rows)],
            np.where(real, ids, 0).astype(np.int32),
            sizes.astype(np.int32),
            real & (np.arange(length) >= length // 2),
        )

    return make


@pytest.fixture
def tiny_recipe():
    """The fields of a recipe, with what a test wants otherwise."""
    return lambda **changes: {**TINY_RECIPE, **changes}


@pytest.fixture
def job_options(tmp_path, tokenizer_folder, make_rows):
    """Command-line options of a training job, as a function of its recipe; rows are made once."""
    write_rows(make_rows(), tmp_path / "rows.parquet")

    def options(recipe, name="job", seeds=(0,), **more):
        import json

        out = tmp_path / name
        values = {
            "rows": tmp_path / "rows.parquet",
            "train-set": "toy",
            "recipe": json.dumps(recipe),
            "tokenizer": tokenizer_folder,
            "checkpoints": out / "checkpoints",
            "models": out / "models",
            "manifest": out / "manifest.json",
            "times": out / "times.json",
            "device": "cpu",
            **more,
        }
        words = [word for key, value in values.items() for word in (f"--{key}", str(value))]
        return out, [*words, "--seeds", *map(str, seeds)]

    return options


@pytest.fixture
def digests():
    """SHA-256 of every model below a folder, by its place."""

    def of(folder: Path):
        from workflow_scripts.models.digests import weights_digest

        return {
            path.parent.relative_to(folder).as_posix(): weights_digest(path.parent)
            for path in sorted(folder.glob("*/*/model.safetensors"))
        }

    return of

"""Micro-batch and precision, on a pretended GPU."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from tests.fisher.pretended_gpu import PretendedGpu
from workflow_scripts.fisher import batch_cache, contributions
from workflow_scripts.fisher.batch_cache import BatchCache
from workflow_scripts.fisher.capture import survey
from workflow_scripts.fisher.embedding import measure
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.hardware import (
    DEFAULT_MICROBATCH,
    arithmetic,
    arithmetic_of_squares,
    automatic_microbatch,
    halved_until_it_fits,
    resolve_precision,
)
from workflow_scripts.fisher.reading import Batch
from workflow_scripts.storage.content_store import ContentStore
from workflow_scripts.tokens.mixture import random_rows

GPU = torch.device("cuda")
MIB = 1 << 20


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """A GPU whose free memory, and memory at the peak of two rows above what was held before, are given in MiB."""

    def set_up(free: int, two_rows: int) -> None:
        held = 100 * MIB
        answers = {
            "reset_peak_memory_stats": None,
            "memory_allocated": held,
            "max_memory_allocated": held + two_rows * MIB,
            "empty_cache": None,
            "mem_get_info": (free * MIB, 2 * free * MIB),
        }
        for name, answer in answers.items():
            monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)

    return set_up


@pytest.mark.parametrize(
    ("free", "two_rows", "expected"),
    [
        (1000, 20, 64),  # 70 rows of 10 MiB in 700 MiB
        (1000, 22, 32),  # 63 rows of 11 MiB
        (140_000, 20, 256),  # never more than 256
        (10, 100, 1),  # not even one by this account: tried nevertheless
        (1000, 0, 256),  # too small to be seen
    ],
)
def test_the_microbatch_is_the_largest_power_of_two_that_free_memory_holds(
    pretend: Callable[[int, int], None], free: int, two_rows: int, expected: int
) -> None:
    pretend(free, two_rows)
    tried = []
    assert automatic_microbatch(lambda: tried.append(2), GPU) == expected
    assert tried == [2, 2]  # once to warm up


def test_a_cpu_has_a_fixed_microbatch() -> None:
    assert automatic_microbatch(lambda: pytest.fail("nothing is to be tried"), torch.device("cpu")) == (
        DEFAULT_MICROBATCH
    )


def test_out_of_memory_halves_the_microbatch_until_it_fits() -> None:
    tried = []

    def compute(rows: int) -> str:
        tried.append(rows)
        if rows > 3:
            raise torch.OutOfMemoryError("pretended")
        return "done"

    assert halved_until_it_fits(compute, 16) == ("done", 2)
    assert tried == [16, 8, 4, 2]


def test_a_row_that_does_not_fit_is_an_error() -> None:
    def compute(_rows: int) -> None:
        raise torch.OutOfMemoryError("pretended")

    with pytest.raises(torch.OutOfMemoryError):
        halved_until_it_fits(compute, 4)


def test_batches_that_run_out_of_memory_are_embedded_all_the_same(
    probe: Callable[..., PreTrainedModel],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = probe("gpt2").float()
    rows = random_rows(8, 12, model.config.vocab_size, set(), 0, "noise.train")
    batches = [np.arange(4), np.arange(4, 8)]
    settings = [Settings(Estimator.corrected(), 0, 0, "float32", end_of_text=0)] * 2

    def embeddings(store: str, microbatch: int) -> np.ndarray:
        cache = BatchCache.of(model, ContentStore(tmp_path / store))
        done = cache.embed_in_turn(rows, batches, settings, microbatch)
        return np.stack([batch.embedding for batch in done])

    undisturbed = embeddings("undisturbed", 4)
    measure, tried = batch_cache.measure, []

    def forgetful(model, batch, settings, microbatch, route):
        tried.append(microbatch)
        if microbatch > 1:
            raise torch.OutOfMemoryError("pretended")
        return measure(model, batch, settings, microbatch, route)

    monkeypatch.setattr(batch_cache, "measure", forgetful)
    np.testing.assert_allclose(embeddings("disturbed", 4), undisturbed, rtol=1e-5)
    assert tried == [4, 2, 1, 1]  # the second batch does not try what failed before
    assert "continuing with 1 rows per pass" in caplog.text


def test_precision_is_float32_unless_another_is_named() -> None:
    assert resolve_precision("auto") == "float32"
    assert resolve_precision("tf32") == "tf32"
    before = torch.get_float32_matmul_precision()
    with arithmetic("tf32", torch.device("cpu")):
        assert torch.get_float32_matmul_precision() == "high"
    with arithmetic("float32", torch.device("cpu")):
        assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize(
    ("estimator", "head_epochs", "reason"),
    [
        (replace(Estimator.corrected(), label_draws=2), 0, ""),
        (replace(Estimator.corrected(), label_draws=2), 2, ""),
        # Gradients of a tied head are only put where the token embedding has seen the same tokens.
        (Estimator.published(), 2, "contributions.py"),
    ],
    ids=["corrected", "corrected, head fitted", "published"],
)
def test_the_gpu_is_not_waited_for_within_a_batch(
    probe: Callable[..., PreTrainedModel],
    monkeypatch: pytest.MonkeyPatch,
    estimator: Estimator,
    head_epochs: int,
    reason: str,
) -> None:
    model = probe("gpt2", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0).float()
    ids = torch.randint(1, model.config.vocab_size, (10, 8), generator=torch.Generator().manual_seed(0))
    ids[:, 4] = ids[:, 2]
    arguments = (model, Batch.of(ids), Settings(estimator, head_epochs), 8, survey(model))
    expected = measure(*arguments)
    with PretendedGpu(monkeypatch, model.state_dict(keep_vars=True).values()) as gpu:
        found = measure(*arguments)
    assert torch.equal(found.embedding, expected.embedding)
    unexpected = [wait for wait in gpu.waits if not reason or reason not in wait]
    assert unexpected == []
    assert bool(gpu.waits) == bool(reason)


def test_the_pretended_gpu_notices_a_selection_by_a_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    on_it = torch.arange(4.0)
    with PretendedGpu(monkeypatch, [on_it]) as gpu:
        assert (on_it * 2)[on_it > 1].tolist() == [4, 6]
        assert float(on_it.cpu().sum()) == 6
        assert torch.arange(4.0)[torch.arange(4) > 1].sum() == 5  # both on the CPU
    assert [wait.split(" at ")[0] for wait in gpu.waits] == ["index"]


def test_squares_are_read_once_on_a_gpu_and_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    products = torch.randn(3, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    on_cpu = contributions.mean_square(products.clone())
    monkeypatch.setattr(contributions, "is_gpu", lambda _tensor: True)
    torch.testing.assert_close(contributions.mean_square(products.clone()), on_cpu)


def test_under_bfloat16_a_gpu_makes_the_squares_in_tf32() -> None:
    before = torch.get_float32_matmul_precision()
    with arithmetic_of_squares("cuda", is_half=True):
        assert torch.get_float32_matmul_precision() == "high"
    for device_type, is_half in (("cuda", False), ("cpu", True)):
        with arithmetic_of_squares(device_type, is_half):
            assert torch.get_float32_matmul_precision() == before
    assert torch.get_float32_matmul_precision() == before

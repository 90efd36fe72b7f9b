"""Does the automatic micro-batch fit into free memory, and does an embedding recover from running out of memory?"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from benchmarks.gpu.bench import EMBEDDING_SHAPES, END, Bench, one_line
from workflow_scripts.fisher.batch_cache import BatchCache
from workflow_scripts.fisher.capture import survey
from workflow_scripts.fisher.embedding import measure
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.hardware import automatic_microbatch
from workflow_scripts.fisher.reading import Batch
from workflow_scripts.storage.content_store import ContentStore
from workflow_scripts.tokens.mixture import random_rows

FREE_SHARES = (0.3, 0.6, 0.9)
SHARE_THAT_IS_TOO_LITTLE = 0.1
LENGTH = 512
ROWS_THAT_DO_NOT_FIT = 64
GATE_RECOVERY = 1e-4


def memory(bench: Bench) -> dict[str, Any]:
    if not bench.is_gpu:
        bench.notes.append("memory: a CPU has a fixed micro-batch; nothing was measured")
        return {}
    model = bench.model(EMBEDDING_SHAPES[bench.size]["gpt2_124m"])
    found: dict[str, Any] = {}
    for share in FREE_SHARES:
        if bench.has_time(f"{share:.0%} free"):
            found[f"free_{share:.0%}"] = _sized(bench, model, share)
            bench.free_memory()
    if bench.has_time("out of memory"):
        found["out_of_memory"] = _recovered(bench, model)
    return found


def ballast(bench: Bench, share: float) -> torch.Tensor:
    """Allocate memory until only this share of the card's memory is free."""
    bench.free_memory()
    free, total = torch.cuda.mem_get_info(bench.device)
    return torch.empty(max(0, int(free - share * total)), dtype=torch.uint8, device=bench.device)


def _sized(bench: Bench, model: PreTrainedModel, share: float) -> dict[str, Any]:
    held = ballast(bench, share)
    shape = EMBEDDING_SHAPES[bench.size]["gpt2_124m"]
    settings = Settings(Estimator.corrected())
    route = survey(model)
    two = Batch.of(bench.rows(shape, LENGTH, 2 * LENGTH))
    rows = automatic_microbatch(lambda: measure(model, two, settings, route=route), bench.device)
    free = torch.cuda.mem_get_info(bench.device)[0]
    result: dict[str, Any] = {"free_mib": round(free / 2**20), "microbatch": rows}
    batch = Batch.of(bench.rows(shape, LENGTH, rows * LENGTH))
    before = torch.cuda.memory_allocated(bench.device)
    try:
        peak = bench.peak_of(lambda: measure(model, batch, settings, rows, route))
    except torch.OutOfMemoryError as error:
        return result | {"fits": False, "error": one_line(error)}
    del held
    return result | {"fits": True, "share_of_free_used": round((peak - before) / free, 3)}


def _recovered(bench: Bench, model: PreTrainedModel) -> dict[str, Any]:
    vocabulary = model.config.vocab_size
    rows = random_rows(ROWS_THAT_DO_NOT_FIT, LENGTH, vocabulary, {END}, 0, "noise.train")
    settings = [Settings(Estimator.corrected(), 0, 0, "float32", END)]
    batches = [np.arange(ROWS_THAT_DO_NOT_FIT)]

    def embedding(store: Path, microbatch: int) -> np.ndarray:
        cache = BatchCache.of(model, ContentStore(store))
        (done,) = cache.embed_in_turn(rows, batches, settings, microbatch)
        return done.embedding

    with tempfile.TemporaryDirectory(dir=bench.work) as folder:
        undisturbed = embedding(Path(folder) / "undisturbed", 4)
        held = ballast(bench, SHARE_THAT_IS_TOO_LITTLE)
        fitted = True
        try:
            batch = Batch.of(torch.from_numpy(rows.input_ids))
            measure(model, batch, Settings(Estimator.corrected()), ROWS_THAT_DO_NOT_FIT)
        except torch.OutOfMemoryError:
            fitted = False
        bench.free_memory()
        disturbed = embedding(Path(folder) / "disturbed", ROWS_THAT_DO_NOT_FIT)
        del held
    difference = float(np.linalg.norm(disturbed - undisturbed) / np.linalg.norm(undisturbed))
    return {
        "ran_out": not fitted,
        "difference": difference,
        "passes": not fitted and difference < GATE_RECOVERY,
    }

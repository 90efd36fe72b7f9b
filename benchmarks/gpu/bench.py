"""Shared by all parts: the device and its clock, time budgets, models of given shapes, random rows."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Work = Callable[[], object]

END = 0
"""Token that ends a text."""


@dataclass(frozen=True)
class Shape:
    """A model, and the number of tokens per pass."""

    type: str
    settings: Mapping[str, int]
    tokens: int


def _gpt2(layers: int, width: int, heads: int, vocabulary: int = 50_257) -> dict[str, int]:
    return {
        "n_layer": layers,
        "n_embd": width,
        "n_head": heads,
        "vocab_size": vocabulary,
        "n_positions": 1024,
    }


def _llama(layers: int, width: int, heads: int, inner: int, vocabulary: int = 32_000) -> dict[str, int]:
    return {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
        "max_position_embeddings": 1024,
    }


EMBEDDING_SHAPES = {
    "full": {
        "gpt2_124m": Shape("gpt2", _gpt2(12, 768, 12), 16_384),
        "llama_350m": Shape("llama", _llama(24, 1024, 16, 2_736), 8_192),
        "llama_1500m": Shape("llama", _llama(26, 2048, 16, 5_504), 4_096),
    },
    "tiny": {
        "gpt2_tiny": Shape("gpt2", _gpt2(1, 16, 2, 97), 64),
        "llama_tiny": Shape("llama", _llama(1, 16, 2, 24, 97), 64),
    },
}
TRAINING_SHAPES = {
    "full": {
        "gpt2_51m": Shape("gpt2", _gpt2(8, 512, 8), 16_384),
        "gpt2_124m": Shape("gpt2", _gpt2(12, 768, 12), 16_384),
    },
    "tiny": {"gpt2_tiny": Shape("gpt2", _gpt2(1, 16, 2, 97), 64)},
}
ROW_LENGTHS = {"full": (128, 512, 1024), "tiny": (16,)}


@dataclass
class Bench:
    """The measured device, the sizes of models, and the deadline."""

    device: torch.device
    size: str
    work: Path
    deadline: float = 0.0
    notes: list[str] = field(default_factory=list)
    """Cases that were left out, and why."""

    @property
    def is_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def lengths(self) -> tuple[int, ...]:
        return ROW_LENGTHS[self.size]

    def synchronise(self) -> None:
        if self.is_gpu:
            torch.cuda.synchronize(self.device)

    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()

    def has_time(self, what: str) -> bool:
        """Whether the part has time left; if not, `what` is noted as left out."""
        if self.seconds_left() > 0:
            return True
        self.notes.append(f"{what}: left out, the time of this part was over")
        return False

    def seconds_of(self, work: Work) -> float:
        """Wall-clock seconds, from an idle device to an idle device."""
        self.synchronise()
        started = time.perf_counter()
        work()
        self.synchronise()
        return time.perf_counter() - started

    def interleaved(self, works: Mapping[str, Work], repeats: int, budget: float) -> dict[str, Any]:
        """Median seconds and peak memory of each work, which take turns; a failed work has its error instead.

        The first round warms up. Rounds end after `repeats`, or when `budget` seconds are over.
        """
        seconds: dict[str, list[float]] = {name: [] for name in works}
        peaks: dict[str, int] = {}
        errors: dict[str, str] = {}
        end = time.monotonic() + min(budget, self.seconds_left())
        for number in range(repeats + 1):
            for name, work in works.items():
                if name in errors:
                    continue
                try:
                    if number == 0:
                        peaks[name] = self.peak_of(work)
                    else:
                        seconds[name].append(self.seconds_of(work))
                except Exception as error:  # noqa: BLE001 - failures are reported, and other works continue
                    errors[name] = one_line(error)
                if name in errors:
                    self.free_memory()
            if number and time.monotonic() > end:
                break
        measured: dict[str, Any] = {}
        for name in works:
            if name in errors:
                measured[name] = {"error": errors[name]}
                continue
            taken = sorted(seconds[name])
            measured[name] = {
                "seconds": statistics.median(taken),
                "fastest": taken[0],
                "slowest": taken[-1],
                "repeats": len(taken),
                "peak_mib": round(peaks[name] / 2**20, 1),
            }
        return measured

    def peak_of(self, work: Work) -> int:
        """Peak bytes of GPU memory during a work, including weights; 0 on a CPU."""
        if self.is_gpu:
            torch.cuda.synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
        work()
        self.synchronise()
        return torch.cuda.max_memory_allocated(self.device) if self.is_gpu else 0

    def free_memory(self) -> None:
        gc.collect()
        if self.is_gpu:
            torch.cuda.empty_cache()

    def model(self, shape: Shape, seed: int = 0) -> "PreTrainedModel":
        """Random weights, made on the device."""
        from transformers import AutoConfig, AutoModelForCausalLM

        torch.manual_seed(seed)
        dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0} if shape.type == "gpt2" else {}
        special = {"bos_token_id": END, "eos_token_id": END, "pad_token_id": None}
        config = AutoConfig.for_model(shape.type, **shape.settings, **special, **dropout)
        with self.device:
            return AutoModelForCausalLM.from_config(config).eval()

    def rows(self, shape: Shape, length: int, tokens: int | None = None) -> torch.Tensor:
        """Rows of random tokens without an end of text, on the CPU, as many as fill a pass."""
        generator = torch.Generator().manual_seed(length)
        count = max(1, (tokens or shape.tokens) // length)
        return torch.randint(1, shape.settings["vocab_size"], (count, length), generator=generator)


def one_line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else 'without a message'}"[:300]

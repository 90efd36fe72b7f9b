"""The device: its name, and its speed of copies and products, the reference of other results."""

import platform
from importlib.metadata import version
from typing import Any

import torch

from benchmarks.gpu.bench import Bench
from workflow_scripts.fisher.hardware import arithmetic

PRODUCT = {"full": 8_192, "tiny": 64}
COPIED_BYTES = {"full": 4 << 30, "tiny": 1 << 16}


def describe() -> dict[str, Any]:
    """Versions and the names of processor and device, without measuring anything."""
    names = ("torch", "transformers", "accelerate", "numpy")
    found: dict[str, Any] = {"python": platform.python_version()} | {name: version(name) for name in names}
    if torch.cuda.device_count():
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "device": properties.name,
            "memory_mib": properties.total_memory >> 20,
            "cuda": torch.version.cuda,
        }
    return found


def ceilings(bench: Bench) -> dict[str, Any]:
    """Bytes per second of a copy (read and written), and operations per second of a large product of random numbers."""
    size, copied = PRODUCT[bench.size], COPIED_BYTES[bench.size]
    found: dict[str, Any] = {"copy_bytes_per_second": 2 * copied / _copy_seconds(bench, copied)}
    a, b = (torch.randn(size, size, device=bench.device) for _ in range(2))
    for precision in ("float32", "tf32", "bfloat16"):
        if bench.has_time(precision):
            with arithmetic(precision, bench.device):
                found[f"{precision}_flops"] = 2 * size**3 / _seconds(bench, lambda: a @ b)
    return found


def _copy_seconds(bench: Bench, copied: int) -> float:
    source = torch.randn(copied // 4, device=bench.device)
    target = torch.empty_like(source)
    return _seconds(bench, lambda: target.copy_(source))


def _seconds(bench: Bench, work: Any) -> float:
    measured = bench.interleaved({"it": work}, 5, 5.0)["it"]
    if "error" in measured:
        raise RuntimeError(measured["error"])
    return float(measured["seconds"])

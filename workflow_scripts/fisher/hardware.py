"""Arithmetic and micro-batch that suit the device."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

DEFAULT_MICROBATCH = 8
_LARGEST_MICROBATCH = 256
_SHARE_OF_FREE_MEMORY = 0.7


def resolve_precision(name: str) -> str:
    """float32, tf32 or bfloat16. `auto` is float32 everywhere.

    Both sides of a comparison need the same arithmetic. How much lower precision changes the alignment depends on
    probe and device, so the user chooses it, after measuring the change with `studies/precision.py`.
    """
    return "float32" if name == "auto" else name


def wide(x: torch.Tensor) -> torch.Tensor:
    """Half-precision numbers as float32, because their squares are summed; others unchanged."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


@contextmanager
def arithmetic(precision: str, device: torch.device) -> Iterator[None]:
    """Matrix products in float32, in TF32, or (with float32 weights and sums) in bfloat16, until the block ends."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def arithmetic_of_squares(device_type: str, is_half: bool) -> Iterator[None]:
    """Float32, even if the passes are in half precision; on a GPU matrix products then use TF32.

    TF32 represents bfloat16 numbers exactly. In full float32 the squares would take a GPU longer than the passes.
    It is set only for the squares, because passes have float32 products that must stay exact, such as rotary angles.
    """
    before = torch.get_float32_matmul_precision()
    if device_type == "cuda" and is_half:
        torch.set_float32_matmul_precision("high")
    try:
        with torch.autocast(device_type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def automatic_microbatch(embed_two_rows: Callable[[], object], device: torch.device) -> int:
    """The largest power of two of rows that fits into free GPU memory, estimated from the peak of two rows.

    A power of two, because small changes of free memory must not change the order of sums.
    """
    if device.type != "cuda":
        return DEFAULT_MICROBATCH
    embed_two_rows()  # The first pass also allocates workspaces that later ones reuse.
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    embed_two_rows()
    per_row = max(1, (torch.cuda.max_memory_allocated(device) - before) // 2)
    torch.cuda.empty_cache()
    rows = int(torch.cuda.mem_get_info(device)[0] * _SHARE_OF_FREE_MEMORY) // per_row
    return 1 << max(0, min(rows, _LARGEST_MICROBATCH).bit_length() - 1)


def halved_until_it_fits(compute: Callable[[int], Result], microbatch: int) -> tuple[Result, int]:
    """The result with the largest micro-batch that fits into memory, starting from the given one; and its size."""
    while True:
        try:
            return compute(microbatch), microbatch
        except torch.OutOfMemoryError:
            if microbatch == 1:
                raise
        # Outside the handler, because its traceback keeps the tensors of the failed pass in memory.
        microbatch //= 2
        torch.cuda.empty_cache()
        logger.warning("out of GPU memory: continuing with %d rows per pass", microbatch)


def positions_of(mask: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Flat indices of the true entries of `mask`, moved from the CPU to the device.

    With a mask on the GPU, the program would wait until the GPU has counted the true entries.
    """
    return there(mask.flatten().nonzero().squeeze(1), device)


def there(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a CPU tensor to the device, without waiting for the device's pending work."""
    return tensor.to(device, non_blocking=True)

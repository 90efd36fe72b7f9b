"""Draws labels from the probe's predictions, independently of micro-batch, order and padding."""

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch

_BLOCK = 64
_ALMOST_ONE = 1 - 2.0**-40


def content_row_ids(input_ids: torch.Tensor, is_real: torch.Tensor) -> list[str]:
    """An id for each row, made from its real tokens and from how many equal rows come before it."""
    seen: Counter[str] = Counter()
    names = []
    for ids, real in zip(input_ids.cpu().numpy(), is_real.cpu().numpy(), strict=True):
        digest = hashlib.sha256(ids[real].astype(np.int64).tobytes()).hexdigest()
        names.append(f"{digest}#{seen[digest]}")
        seen[digest] += 1
    return names


def uniforms(row_ids: Sequence[str], length: int, draws: int, seed: int) -> np.ndarray:
    """(rows, length, draws) numbers in [0, 1), each a function of only (seed, row id, position, draw)."""
    numbers = np.empty((len(row_ids), length, draws))
    for r, row_id in enumerate(row_ids):
        for d in range(draws):
            key = hashlib.sha256(f"{seed}\0{d}\0{row_id}".encode()).digest()[:16]
            stream = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
            numbers[r, :, d] = stream.random(length)
    return numbers


def draw_labels(probabilities: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Labels (n, draws) by inverse CDF, from probabilities (n, vocabulary) and uniform numbers (n, draws).

    The label is the first index at which the running sum exceeds `uniform` times the total. For speed, the running
    sum is taken over blocks first, and over single entries only within the block that contains the label.
    """
    vocabulary = probabilities.shape[1]
    whole = vocabulary // _BLOCK * _BLOCK
    blocks = probabilities[:, :whole].unflatten(1, (-1, _BLOCK)).sum(-1)
    if whole < vocabulary:
        blocks = torch.cat([blocks, probabilities[:, whole:].sum(1, keepdim=True)], 1)
    running = blocks.double().cumsum(1)
    # Rounding must not push a number past the end of the sum, where there is no label.
    sought = uniform.clamp(max=_ALMOST_ONE) * running[:, -1:]
    block = torch.searchsorted(running, sought, right=True)
    rest = sought - torch.where(block > 0, running.gather(1, (block - 1).clamp(min=0)), 0.0)

    index = block.unsqueeze(-1) * _BLOCK + torch.arange(_BLOCK, device=block.device)
    exists = index < vocabulary
    entries = probabilities.gather(1, index.clamp(max=vocabulary - 1).flatten(1)).unflatten(
        1, index.shape[1:]
    )
    within = torch.where(exists, entries, 0.0).double().cumsum(-1)
    # A block's sum and the running sum of its entries are rounded differently, so the same applies within a block.
    rest = torch.minimum(rest, within[..., -1] * _ALMOST_ONE)
    offset = (within <= rest.unsqueeze(-1)).sum(-1)
    return block * _BLOCK + offset

"""Sums over coordinates for many pairs of embeddings: compiled, blocked for the cache, spread over threads."""

import numba
import numpy as np

_TILE = 16
_COLUMNS = 512
"""Two tiles of a block of columns, 2 x 16 x 512 float32, fit into a core's own cache."""

_FAST = {
    "reassoc",
    "contract",
    "arcp",
    "nsz",
}  # sums may be vectorised; NaN and infinity keep their meaning


@numba.njit(fastmath=_FAST, cache=True)
def _sums(a, b, epsilon):
    zero = (
        epsilon - epsilon
    )  # in the embeddings' type: a literal would make every sum double, at half the speed
    uu, vv, uv = zero, zero, zero
    for k in range(a.shape[0]):
        reciprocal = np.reciprocal(a[k] + b[k] + epsilon)
        u = a[k] * reciprocal
        v = b[k] * reciprocal
        uu += u * u
        vv += v * v
        uv += u * v
    return uu, vv, uv


@numba.njit(parallel=True, cache=True)
def cosines(A, B, epsilon, is_symmetric):
    """cos(a / (a + b + epsilon), b / (a + b + epsilon)) for all rows a of A and b of B, in double precision.

    A block of columns is summed in the precision of the embeddings; blocks are added up in double precision. One
    thread sums each pair in a fixed order, so the result does not depend on the number of threads. If `is_symmetric`,
    only tiles on and above the diagonal are computed, and mirrored. Blocks are first copied to contiguous memory,
    because the rows themselves are not aligned.
    """
    n, m, size = A.shape[0], B.shape[0], A.shape[1]
    across, down = (m + _TILE - 1) // _TILE, (n + _TILE - 1) // _TILE
    result = np.empty((n, m))
    for tile in numba.prange(across * down):
        first, second = tile // across * _TILE, tile % across * _TILE
        if is_symmetric and second < first:
            continue
        rows, columns = min(_TILE, n - first), min(_TILE, m - second)
        sums = np.zeros((_TILE, _TILE, 3))
        a = np.zeros((_TILE, _COLUMNS), A.dtype)
        b = np.zeros((_TILE, _COLUMNS), A.dtype)
        for start in range(0, size, _COLUMNS):
            width = min(_COLUMNS, size - start)
            a[:rows, :width] = A[first : first + rows, start : start + width]
            b[:columns, :width] = B[second : second + columns, start : start + width]
            a[:, width:] = 0  # zeros on both sides add nothing
            b[:, width:] = 0
            for i in range(rows):
                for j in range(columns):
                    uu, vv, uv = _sums(a[i], b[j], epsilon)
                    sums[i, j, 0] += uu
                    sums[i, j, 1] += vv
                    sums[i, j, 2] += uv
        for i in range(rows):
            for j in range(columns):
                uu, vv, uv = sums[i, j]
                if uu == 0 or vv == 0:
                    cosine = 1.0 if uu == vv else 0.0
                else:
                    cosine = uv / np.sqrt(uu * vv)
                result[first + i, second + j] = cosine
                if is_symmetric:
                    result[second + j, first + i] = cosine
    return result

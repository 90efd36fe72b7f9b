"""Variance of an embedding over label draws and over rows, for each kind of coordinate."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def variance_by_kind(
    layout: Sequence[tuple[str, str, slice]], embeddings: np.ndarray, draw_variances: np.ndarray
) -> pd.DataFrame:
    """Table of kind, coordinates, draws, rows: variances of one batch's embedding over its squared length.

    `embeddings` is (batches, coordinates); `draw_variances` is (batches, modules), the variance of the mean over
    label draws, summed over a module's coordinates. For the coordinates C of a kind, with e the mean embedding,

        draws = mean over batches of sum_C Var_draws / sum_C e^2
        rows  = sum_C Var_batches / sum_C e^2 - draws, not below zero.

    Batches of different rows vary by both, so the first is subtracted. With one draw, `draws` and `rows` are
    unknown (null); with one batch, `rows` is.
    """
    mean = embeddings.mean(0, dtype=np.float64)
    between = (
        embeddings.var(0, ddof=1, dtype=np.float64) if len(embeddings) > 1 else np.full_like(mean, np.nan)
    )
    found = []
    for kind in dict.fromkeys(kind for _, kind, _ in layout):
        modules = [i for i, (_, other, _) in enumerate(layout) if other == kind]
        places = np.concatenate([np.arange(layout[i][2].start, layout[i][2].stop) for i in modules])
        length = float((mean[places] ** 2).sum())
        if length == 0:
            draws = rows = 0.0
        else:
            draws = float(draw_variances[:, modules].sum(1).mean()) / length
            rows = max(float(between[places].sum()) / length - draws, 0.0) if np.isfinite(draws) else np.nan
            rows = rows if np.isfinite(between[places]).all() else np.nan
        found.append({"kind": kind, "coordinates": len(places), "draws": draws, "rows": rows})
    return pd.DataFrame(found)

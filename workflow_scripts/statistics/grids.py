"""Tables of pairs as grids: training sets are rows, evaluation sets columns, missing pairs NaN."""

from collections.abc import Sequence

import pandas as pd

from workflow_scripts.statistics.correlation import Grid


def grid_of(frame: pd.DataFrame, column: str, train_sets: Sequence[str], eval_sets: Sequence[str]) -> Grid:
    """The column of a table with one row per (train_set, eval_set) as a grid in the given order."""
    wide = frame.pivot(index="train_set", columns="eval_set", values=column)
    return wide.reindex(index=list(train_sets), columns=list(eval_sets)).to_numpy(dtype=float, copy=True)

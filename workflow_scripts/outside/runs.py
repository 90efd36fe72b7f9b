"""Runs and gaps of alignment as arrays, from the tables of losses, shares and alignments."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from workflow_scripts.errors import UserError
from workflow_scripts.outside.tables import share_matrix
from workflow_scripts.statistics.effective_tokens import Gaps, Runs

# Half the width of a 95% interval, in standard errors.
HALF_WIDTH = 1.96


def runs_of(losses: pd.DataFrame, shares: pd.DataFrame, parts: Sequence[str], targets: Sequence[str]) -> Runs:
    """One run per training set and number of tokens, with mean losses over seeds.

    If no tokens are known, all runs count as equally long.
    """
    wide = losses.pivot_table(
        index=["train_set", "tokens"], columns="eval_set", values="loss", aggfunc="mean", sort=True
    )
    names = wide.index.get_level_values("train_set")
    tokens = wide.index.get_level_values("tokens").to_numpy(dtype=float)
    if (tokens == 0).any() and (tokens > 0).any():
        raise UserError(
            f"the tokens of {names[int(np.argmin(tokens))]} are missing, but other runs have them; "
            "fill in the column tokens for all or for none"
        )
    return Runs(
        train_sets=tuple(names),
        parts=tuple(parts),
        targets=tuple(targets),
        shares=share_matrix(shares, list(names.unique()), parts)[names.unique().get_indexer(names)],
        tokens=np.where(tokens > 0, tokens, 1.0),
        losses=wide[list(targets)].to_numpy(dtype=float),
    )


def gaps_of(alignment: pd.DataFrame, parts: Sequence[str], targets: Sequence[str]) -> Gaps:
    """Gaps of one metric from its rows of an alignment table, for every part and target.

    A target without its own part is compared with itself, because nothing is closer to it. What the metric did not
    measure is NaN.
    """
    table = alignment.assign(error=(alignment["ci_high"] - alignment["ci_low"]) / (2 * HALF_WIDTH))
    wide = table.pivot(index="source", columns="target", values=["alignment", "error"])
    sources, columns = [f"{part}.train" for part in parts], [f"{target}.eval" for target in targets]
    values, errors = (
        wide[name].reindex(index=sources, columns=columns).to_numpy(dtype=float)
        for name in ("alignment", "error")
    )
    of_itself, error_of_itself = (
        wide[name].reindex(index=columns, columns=columns).to_numpy(dtype=float).diagonal()
        for name in ("alignment", "error")
    )
    gaps, gap_errors = np.empty_like(values), np.empty_like(values)
    for j, target in enumerate(targets):
        own = parts.index(target) if target in parts else None
        if own is None:
            best = of_itself[j], error_of_itself[j]
        else:
            best = values[own, j], errors[own, j]
        gaps[:, j] = best[0] - values[:, j]
        gap_errors[:, j] = np.hypot(errors[:, j], best[1])
        if own is not None:
            gap_errors[own, j] = 0.0
    return Gaps(gaps, gap_errors)


def sides_of(alignment: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Corpora with a train side in the table, and those with both sides."""
    sources = set(alignment["source"])
    parts = sorted(name.removesuffix(".train") for name in sources if name.endswith(".train"))
    return parts, [part for part in parts if f"{part}.eval" in sources]


def mixture_scores(alignments: Sequence[pd.DataFrame], runs: Runs) -> dict[str, np.ndarray]:
    """Alignment of each training set with each target, by metric, from one table of mixtures per metric."""
    found = {}
    for table in alignments:
        wide = table.pivot(index="train_set", columns="eval_set", values="alignment")
        scores = wide.reindex(index=list(runs.train_sets), columns=list(runs.targets))
        found[str(table["metric"].iloc[0])] = scores.to_numpy(dtype=float)
    return found

"""Chooses the covariates of a partial correlation, as many as the data can support."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.statistics.association import Scope
from workflow_scripts.statistics.correlation import Grid, centred

# In order of priority: shared words first, because vocabulary is the known confounder, then the amount of data,
# because the question is whether alignment predicts better than size.
COVARIATES = (
    "token_jaccard",
    "source_tokens",
    "zero_shot_loss",
    "source_entropy",
    "source_document_length",
    "target_document_length",
)
FAMILIES_PER_COVARIATE = 3


def chosen_covariates(
    covariates: Mapping[str, Grid], alignment: Grid, loss: Grid, scope: Scope, families: NDArray[np.intp]
) -> list[str]:
    """Names of the covariates of a partial correlation, in the order of the mapping.

    At most one for every three families of training sets after the first, because the test relabels families. Each
    must vary in the scope beyond those already chosen: a property of the target is constant within evaluation sets,
    a property of the source vanishes under double centring.
    """
    present = scope.cells & np.isfinite(alignment) & np.isfinite(loss)
    n_families = len(np.unique(families[present.any(axis=1)]))
    limit = (n_families - 1) // FAMILIES_PER_COVARIATE
    names: list[str] = []
    taken: list[Grid] = []
    for name, grid in covariates.items():
        if len(names) >= limit:
            break
        cells = present & np.isfinite(grid)
        if cells.sum() < present.sum():
            continue
        weights = cells.astype(float)
        values = np.where(cells, grid, 0.0)
        residual = np.where(cells, centred(values, weights, scope.centring), 0.0)
        for unit in taken:
            residual = residual - unit * (unit * residual).sum()
        # With only 1e-6 of its variation left, it would add only rounding error or a near copy.
        if (residual**2).sum() > 1e-12 * (values**2).sum():
            names.append(name)
            taken.append(residual / np.sqrt((residual**2).sum()))
    return names

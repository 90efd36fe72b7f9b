"""The table of an n-gram model is what comparing one pair of batches after the other gives, to the last bit."""

import numpy as np
import pytest

from workflow_scripts.metrics.base import Batch, Resources
from workflow_scripts.metrics.ngram_cross_entropy import NgramCrossEntropy
from workflow_scripts.tokens.rows import Rows

VOCABULARY, LENGTH = 30, 12


@pytest.fixture
def metric():
    return NgramCrossEntropy(Resources(vocabulary_size=VOCABULARY))


def batches(metric, seed, highest, count=3):
    """Batches of token ids below `highest`; some rows are padded."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        ids = rng.integers(0, highest, (4, LENGTH)).astype(np.int32)
        real = rng.integers(3, LENGTH + 1, 4).astype(np.int32)
        names = [str(row) for row in range(4)]
        rows = Rows(names, [[name] for name in names], ids, real, np.arange(LENGTH) < real[:, None])
        found.append(metric.features(Batch(4, int(real.sum()), rows=rows)))
    return found


def one_by_one(metric, sources, targets):
    return np.array([[metric.compare(source, target) for target in targets] for source in sources])


def test_a_table_is_every_pair_compared(metric):
    sets = [batches(metric, 0, 6), batches(metric, 1, VOCABULARY, 2), batches(metric, 2, 9)]
    for sources in sets:  # the sources change in between, as they do from row to row of a matrix
        for targets in sets:
            table = metric.table(sources, targets)
            assert table.shape == (len(sources), len(targets))
            np.testing.assert_array_equal(table, one_by_one(metric, sources, targets))


def test_mixtures_of_any_number_are_mixed_features_compared(metric):
    units, targets = batches(metric, 3, 12, 5), batches(metric, 4, 15)
    weights = np.random.default_rng(5).integers(0, 2, (70, 5)).astype(float)  # more than one portion
    weights[:, 0] = 1
    mixed = [metric.mix(units, row) for row in weights]
    np.testing.assert_allclose(
        metric.mixture_table(units, weights, targets), one_by_one(metric, mixed, targets), rtol=1e-12
    )

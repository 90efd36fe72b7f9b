"""What must hold of any metric, so that a new one is tested as soon as its file is there."""

import numpy as np
import pytest

from workflow_scripts.metrics.intervals import between_sets, within_set
from workflow_scripts.metrics.registry import metric_class, metric_names

SOURCES = {"rows", "text", "embeddings:corrected", "embeddings:published"}
EXACT_ONE = {
    "task2vec",
    "task2vec_body",
    "task2vec_roots",
    "unigram_js",
    "tfidf_cosine",
    "hidden_state_cosine",
}


@pytest.fixture(
    scope="module", params=[name for name in metric_names() if "encoder" not in metric_class(name).needs]
)
def measured(request, batches, resources):
    """The metric and its features of every batch."""
    metric = metric_class(request.param)(resources)
    return metric, {
        name: [metric.features(batch) for batch in many] for name, many in batches(metric).items()
    }


def test_it_says_what_it_needs_and_bears_its_modules_name(measured):
    metric, _ = measured
    assert metric.name == type(metric).__module__.rsplit(".", 1)[1]
    assert len(SOURCES & set(metric.needs)) == 1
    assert set(metric.needs) <= SOURCES | {"vocabulary", "probe", "encoder", "whole"}


def test_values_are_finite_and_features_can_be_kept(measured):
    metric, features = measured
    everything = [one for many in features.values() for one in many]
    assert np.isfinite(metric.table(everything, everything)).all()
    assert all(isinstance(value, np.ndarray) for one in everything for value in one.values())


def test_a_table_is_made_of_comparisons(measured):
    metric, features = measured
    prose, code = features["prose"], features["code"]
    expected = [[metric.compare(a, b) for b in code] for a in prose]
    assert metric.table(prose, code) == pytest.approx(np.array(expected), rel=1e-6)


def test_symmetric_metrics_are_symmetric_and_others_are_not(measured):
    metric, features = measured
    there = metric.table(features["prose"], features["code"])
    back = metric.table(features["code"], features["prose"]).T
    if metric.symmetric:
        assert there == pytest.approx(back, rel=1e-6)
    else:
        assert np.abs(there - back).max() > 1e-3


def test_a_batch_is_most_like_itself(measured):
    metric, features = measured
    everything = [one for many in features.values() for one in many]
    table = metric.table(everything, everything)
    assert (table.argmax(axis=0) == np.arange(len(everything))).all()
    if metric.name in EXACT_ONE:
        assert np.diag(table) == pytest.approx(1, abs=1e-6)
        assert table.max() < 1 + 1e-6


def test_sql_or_code_is_more_like_itself_than_prose_is(measured):
    metric, features = measured
    itself = within_set(metric.table(features["code"], features["code"])).point
    assert itself > between_sets(metric.table(features["prose"], features["code"])).point


def test_twice_the_batches_stay_inside_the_interval(measured):
    metric, features = measured
    for source in ("prose", "code"):
        table = metric.table(features[source], features["code"])
        interval = within_set if source == "code" else between_sets
        few = interval(table[:4, :4])
        assert few.low <= interval(table).point <= few.high

"""Mixtures from their parts against rows that are really mixed."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.intervals import between_sets
from workflow_scripts.metrics.mixtures import (
    MEAN_OF_PARTS,
    MIXED_BATCHES,
    MIXED_ROWS,
    Mixtures,
    align_mixtures,
    mixed_units,
    read_mixtures,
)
from workflow_scripts.metrics.pieces import Pieces
from workflow_scripts.metrics.registry import metric_class, metric_names
from workflow_scripts.storage.content_store import ContentStore
from workflow_scripts.storage.tables import write_table
from workflow_scripts.tokens.mixture import mix
from workflow_scripts.tokens.rows import Rows

BATCHES, ROWS = 4, 8
EXACT = [
    name
    for name in metric_names()
    if metric_class(name).mixes == "exact" and "encoder" not in metric_class(name).needs
]
SHARES = np.array([[0.0, 1.0], [0.3, 0.7], [0.5, 0.5]])


def joined(several):
    """Rows one after the other."""
    return Rows(
        [row_id for rows in several for row_id in rows.row_ids],
        [doc_ids for rows in several for doc_ids in rows.doc_ids],
        *(
            np.concatenate([getattr(rows, name) for rows in several])
            for name in ("input_ids", "n_tokens", "loss_mask")
        ),
    )


def single(rows):
    return [rows.take(np.array([i])) for i in range(len(rows))]


@pytest.fixture(scope="module")
def parts(rows):
    """The rows of the first half of the batches; the other half are targets."""
    return {name: joined(many[:BATCHES]) for name, many in rows.items()}


@pytest.fixture
def aligned(tmp_path, rows, parts, resources, batch_of):
    """The table of `align_mixtures` for prose and code, mixed in the shares above."""

    def of(metric_name, unit_rows=1):
        metric_type = metric_class(metric_name)
        units = {
            name: [
                batch_of(metric_type, part.take(np.arange(start, start + unit_rows)))
                for start in range(0, len(part), unit_rows)
            ]
            for name, part in sorted(parts.items())
        }
        targets = {
            name: [batch_of(metric_type, one) for one in many[BATCHES:]] for name, many in rows.items()
        }
        table = align_mixtures(
            Pieces(metric_type(resources), ContentStore(tmp_path / "store")),
            Mixtures([f"mixture_{i}" for i in range(len(SHARES))], SHARES),
            units,
            targets,
        )
        return table.to_pandas().set_index(["train_set", "eval_set"])

    return of


@pytest.mark.parametrize("name", EXACT)
def test_a_mixed_batch_has_the_features_of_its_rows_together(name, rows, resources, batch_of):
    metric = metric_class(name)(resources)
    chosen = [*single(rows["prose"][0])[:3], *single(rows["code"][0])[:2]]
    target = metric.features(batch_of(metric, rows["code"][1]))
    units = [metric.features(batch_of(metric, row)) for row in chosen]
    weights = np.ones(5) if metric.mixes_by == "rows" else np.full(5, 1 / 5)
    together = metric.features(batch_of(metric, joined(chosen)))
    found = metric.compare(metric.mix(units, weights), target)
    assert found == pytest.approx(metric.compare(together, target), rel=1e-5)


@pytest.mark.parametrize("name", EXACT)
def test_the_quick_table_is_the_plain_one(name, batches, resources):
    metric = metric_class(name)(resources)
    features = {name: [metric.features(batch) for batch in many] for name, many in batches(metric).items()}
    units, targets = [*features["prose"][:3], *features["code"][:3]], features["code"][4:]
    weights = np.random.default_rng(0).integers(0, 2, size=(70, 6)).astype(float)
    weights[:, 0] = 1
    weights[0] = [0, 0, 0, 1, 0, 0]
    if metric.mixes_by == "tokens":
        weights /= weights.sum(axis=1, keepdims=True)
    plain = metric.table([metric.mix(units, row) for row in weights], targets)
    assert metric.mixture_table(units, weights, targets) == pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize("name", EXACT)
def test_alignment_is_that_of_really_mixed_rows(name, aligned, rows, parts, resources, batch_of):
    metric = metric_class(name)(resources)
    table = aligned(name)
    assert set(table["how"]) == {MIXED_ROWS}
    targets = {
        name: [metric.features(batch_of(metric, one)) for one in many[BATCHES:]]
        for name, many in rows.items()
    }
    for i, shares in enumerate(SHARES):
        mixed = mix([parts["code"], parts["prose"]], shares.tolist())
        order = np.random.default_rng(i).permutation(BATCHES * ROWS)
        sources = [metric.features(batch_of(metric, mixed.take(one))) for one in order.reshape(BATCHES, ROWS)]
        for target, read in targets.items():
            really = between_sets(metric.table(sources, read))
            found = table.loc[(f"mixture_{i}", target)]
            # Both are estimates of one number.
            allowed = np.hypot(really.high - really.point, found["ci_high"] - found["alignment"])
            assert abs(found["alignment"] - really.point) <= allowed


@pytest.mark.parametrize(("name", "keeps_rows"), [("unigram_js", False), ("hidden_state_cosine", True)])
def test_of_single_rows_only_what_a_model_read_is_kept(name, keeps_rows, aligned, rows, parts, tmp_path):
    aligned(name)
    of_targets = sum(len(many) - BATCHES for many in rows.values()) if keeps_rows else 0
    of_rows = sum(len(part) for part in parts.values())
    kept = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert len(kept) == of_targets + (of_rows if keeps_rows else 0)


def test_a_mean_of_whole_batches_is_named_as_one_and_differs_from_mixed_rows(aligned):
    rows, batches = aligned("unigram_js"), aligned("unigram_js", unit_rows=ROWS)
    assert set(batches["how"]) == {MIXED_BATCHES}
    pure, half = ("mixture_0", "prose"), ("mixture_2", "prose")
    assert batches.loc[pure, "alignment"] == pytest.approx(rows.loc[pure, "alignment"])
    # Two batches hold twice the rows of one, so that less of the difference is sampling.
    assert batches.loc[half, "alignment"] > rows.loc[half, "alignment"] + 0.01


def test_other_metrics_have_the_mean_of_their_parts(aligned, resources, rows, batch_of):
    metric = metric_class("gzip_pairs")(resources)
    table = aligned("gzip_pairs", unit_rows=ROWS)
    assert set(table["how"]) == {MEAN_OF_PARTS}
    features = {name: [metric.features(batch_of(metric, one)) for one in many] for name, many in rows.items()}
    of_parts = [
        metric.table(features[part][:BATCHES], features["prose"][BATCHES:]).mean()
        for part in ("code", "prose")
    ]
    for i, shares in enumerate(SHARES):
        assert table.loc[(f"mixture_{i}", "prose"), "alignment"] == pytest.approx(shares @ of_parts)


def test_units_are_taken_as_rows_are_mixed():
    rng = np.random.default_rng(0)
    tokens = rng.integers(3, 9, size=(3, 1, 30))
    shares = np.array([[0.2, 0.3, 0.5], [0, 0.9, 0.1], [1, 0, 0]])
    chosen = mixed_units(shares, tokens)[:, 0]
    for row, found in zip(shares, chosen, strict=True):
        sets = [
            Rows(
                [f"{part}/{i}" for i in range(30)],
                [[]] * 30,
                np.zeros((30, 9), np.int32),
                tokens[part, 0].astype(np.int32),
                np.zeros((30, 9), bool),
            )
            for part in range(3)
        ]
        first = mix(sets, row.tolist()).row_ids[:30]
        assert {f"{part}/{unit}" for part, unit in np.argwhere(found)} == set(first)


def test_shares_even_out_over_the_batches():
    shares = np.random.default_rng(1).dirichlet(np.full(5, 0.3), size=20)
    chosen = mixed_units(shares, np.full((5, 8, 32), 128))
    assert (chosen.sum(axis=(2, 3)) == 32).all()
    assert np.abs(chosen.sum(axis=(1, 3)) - 256 * shares).max() <= 5


@pytest.fixture
def written(tmp_path):
    def of(records):
        path = tmp_path / "mixtures.parquet"
        write_table(pd.DataFrame(records, columns=["train_set", "corpus", "share"]), path)
        return path

    return of


def test_rounded_shares_are_divided_by_their_sum_and_absent_parts_have_none(written):
    read = read_mixtures(
        [written([("m2", "a", 1.0), ("m1", "a", 0.333), ("m1", "b", 0.666)])], ["b", "c", "a"]
    )
    assert read.names == ["m1", "m2"]
    assert read.shares == pytest.approx(np.array([[2 / 3, 0, 1 / 3], [0, 0, 1]]))


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([("m", "a", 0.5), ("m", "b", 0.4)], r"the shares of m add up to 0\.9000"),
        (
            [("m", "a", 1.5), ("m", "b", -0.5)],
            r"the shares of m add up to 1\.0000; they must not be negative",
        ),
        ([("m", "a", 0.5), ("m", "d", 0.5)], "mixes d, which is not among the parts"),
        ([("m", "a", 0.5), ("m", "a", 0.5)], "gives the share of a in m twice"),
        ([("m", "a", float("nan")), ("m", "b", 1.0)], "gives no share of a in m"),
    ],
)
def test_mistakes_in_the_table_are_errors_in_one_line(written, records, said):
    with pytest.raises(UserError, match=said):
        read_mixtures([written(records)], ["a", "b"])

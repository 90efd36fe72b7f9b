"""The model of a whole set against its definition, written as plainly as it reads."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy.special import stdtrit

from workflow_scripts.metrics.base import Batch, Resources
from workflow_scripts.metrics.inputs import whole_set
from workflow_scripts.metrics.intervals import given_source
from workflow_scripts.metrics.mixtures import EXPERTS, Mixtures, align_mixtures
from workflow_scripts.metrics.ngram_whole import NgramWhole
from workflow_scripts.metrics.ngram_whole_trigram import NgramWholeTrigram
from workflow_scripts.metrics.pieces import Pieces
from workflow_scripts.ngrams.kneser_ney import counted, fit, ngrams, probabilities
from workflow_scripts.storage.content_store import ContentStore
from workflow_scripts.tokens import rows as rows_module
from workflow_scripts.tokens.rows import Rows, write_rows

VOCABULARY = 30


def zipf(seed, n_rows, length=20, shift=0):
    weights = 1 / np.arange(1, VOCABULARY)
    drawn = np.random.default_rng(seed).choice(VOCABULARY - 1, (n_rows, length), p=weights / weights.sum())
    return (drawn + np.roll(drawn, 1, axis=1) // 3 + shift) % VOCABULARY


def rows_of(ids, name):
    names = [f"{name}/{i}" for i in range(len(ids))]
    n_tokens = np.full(len(ids), ids.shape[1], dtype=np.int32)
    return Rows(
        names, [[one] for one in names], ids.astype(np.int32), n_tokens, np.ones(ids.shape, dtype=bool)
    )


def whole(rows):
    return Batch(len(rows), rows.size, rows=rows_of(rows, "whole"))


def discount(table, count):
    n = Counter(table.values())
    found = []
    if n[1] and n[2] and n[3]:
        y = n[1] / (n[1] + 2 * n[2])
        found = [1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
    if not found or min(found) <= 0:
        found = [0.5, 1, 1.5]
    return found[min(count, 3) - 1]


def plain_kneser_ney(rows, order):
    """p(token | history) as the formulas read, one n-gram at a time."""
    tables = {order: Counter(tuple(row[i : i + order]) for row in rows for i in range(len(row) - order + 1))}
    for n in range(order - 1, 0, -1):
        tables[n] = Counter(gram[1:] for gram in tables[n + 1])

    def probability(token, history):
        n = len(history) + 1
        lower = probability(token, history[1:]) if history else 1 / VOCABULARY
        table = tables[n]
        following = {gram: count for gram, count in table.items() if gram[:-1] == history}
        if not following:
            return lower
        total = sum(following.values())
        taken = sum(discount(table, count) for count in following.values())
        count = following.get((*history, token), 0)
        return ((count - discount(table, count)) / total if count else 0) + taken / total * lower

    return probability


@pytest.mark.parametrize("metric_type", [NgramWhole, NgramWholeTrigram])
def test_alignment_is_the_formula(metric_type):
    source, target = zipf(0, 80), zipf(1, 4)
    metric = metric_type(Resources(vocabulary_size=VOCABULARY))
    probability = plain_kneser_ney(source.tolist(), metric.order)
    logs = [
        math.log(probability(row[i], tuple(row[max(0, i - metric.order + 1) : i])))
        for row in target.tolist()
        for i in range(len(row))
    ]
    found = metric.compare(metric.features(whole(source)), metric.features(whole(target)))
    assert found == pytest.approx(np.mean(logs))


@pytest.mark.parametrize(("order", "n_rows"), [(2, 1), (2, 60), (3, 2), (3, 60)])
def test_probabilities_add_up_to_one_after_any_history(order, n_rows):
    codes = ngrams(zipf(0, n_rows), np.full(n_rows, 20), order, VOCABULARY)
    model = fit(*counted([codes]), order, VOCABULARY)
    base = VOCABULARY + 1
    histories = (
        [0, 5, VOCABULARY] if order == 2 else [0, 3 * base + 7, VOCABULARY * base + 2, base * base - 1]
    )
    for history in histories:
        p = probabilities(model, history * base + np.arange(VOCABULARY), order, VOCABULARY)
        assert p.sum() == pytest.approx(1) and p.min() > 0


def test_text_without_rare_ngrams_still_leaves_something_for_the_rest():
    rows = np.tile([1, 2, 3, 4], (50, 5))
    model = fit(*counted([ngrams(rows, np.full(50, 20), 2, VOCABULARY)]), 2, VOCABULARY)
    p = probabilities(model, 1 * (VOCABULARY + 1) + np.arange(VOCABULARY), 2, VOCABULARY)
    assert p.sum() == pytest.approx(1) and p[2] > 0.9 and p[20] > 0


def test_padding_is_not_counted_and_portions_do_not_matter():
    rows, n_tokens = zipf(0, 40), np.random.default_rng(0).integers(1, 21, 40)
    codes = ngrams(rows, n_tokens, 3, VOCABULARY)
    expected = Counter()
    for row, n in zip(rows.tolist(), n_tokens, strict=True):
        padded = [VOCABULARY, VOCABULARY, *row[:n]]
        expected.update(
            a * (VOCABULARY + 1) ** 2 + b * (VOCABULARY + 1) + c
            for a, b, c in zip(padded, padded[1:], padded[2:], strict=False)
        )
    for portions in ([codes], np.array_split(codes, 7)):
        grams, counts = counted(portions)
        assert dict(zip(grams.tolist(), counts.tolist(), strict=True)) == expected


@pytest.mark.parametrize("metric_type", [NgramWhole, NgramWholeTrigram])
def test_without_a_batch_is_the_model_of_all_other_rows(metric_type):
    metric, rows = metric_type(Resources(vocabulary_size=VOCABULARY)), zipf(0, 50)
    found = metric.without(metric.features(whole(rows)), metric.features(whole(rows[10:20])))
    others = metric.features(whole(np.delete(rows, np.arange(10, 20), axis=0)))
    assert found.keys() == others.keys()
    assert all((found[name] == others[name]).all() for name in found)


def test_a_file_is_read_in_portions_and_gives_the_same(tmp_path, monkeypatch):
    rows = zipf(0, 50)
    write_rows(rows_of(rows, "a"), tmp_path / "a.parquet")
    metric = NgramWhole(Resources(vocabulary_size=VOCABULARY))
    monkeypatch.setattr(rows_module, "_PORTION", 7 * 20)
    batch = whole_set(tmp_path / "a.parquet")
    assert (batch.n_rows, batch.n_tokens) == (50, 1000)
    assert [len(ids) for ids, _ in batch.token_portions()] == [7] * 7 + [1]
    found, expected = metric.features(batch), metric.features(whole(rows))
    assert all((found[name] == expected[name]).all() for name in expected)


def test_names_of_rows_are_no_part_of_the_key_and_tokens_are(tmp_path):
    keys = []
    for number, (name, seed) in enumerate([("a", 0), ("b", 0), ("a", 1)]):
        path = tmp_path / f"{number}.parquet"
        write_rows(rows_of(zipf(seed, 9), name), path)
        keys.append(whole_set(path).content)
    assert keys[0] == keys[1] != keys[2]


def test_interval_is_of_the_target_alone():
    values = np.array([[1.0, 2.0, 3.0, 6.0]])
    found = given_source(values)
    half = stdtrit(3, 0.975) * values.std(ddof=1) / 2
    assert (found.point, found.low, found.high) == pytest.approx((3, 3 - half, 3 + half))


@pytest.mark.parametrize("metric_type", [NgramWhole, NgramWholeTrigram])
def test_a_mixture_is_read_by_the_weighted_mean_of_its_experts(tmp_path, metric_type):
    parts = {"one": zipf(0, 60), "two": zipf(1, 60, shift=9)}
    for name, rows in parts.items():
        write_rows(rows_of(rows, name), tmp_path / f"{name}.parquet")
    targets = [zipf(seed, 3, shift=shift) for seed, shift in ((5, 0), (6, 9), (7, 0), (8, 9))]
    shares = np.array([[1.0, 0.0], [0.25, 0.75]])
    metric = metric_type(Resources(vocabulary_size=VOCABULARY))
    table = align_mixtures(
        Pieces(metric, ContentStore(tmp_path / "store")),
        Mixtures(["pure", "mixed"], shares),
        {name: [whole_set(tmp_path / f"{name}.parquet")] for name in parts},
        {"target": [whole(rows) for rows in targets]},
    ).to_pandas()
    assert set(table["how"]) == {EXPERTS}
    experts = [plain_kneser_ney(rows.tolist(), metric.order) for rows in parts.values()]
    for name, row in (("pure", shares[0]), ("mixed", shares[1])):
        logs = []
        for target in targets:
            for line, i in itertools.product(target.tolist(), range(20)):
                history = tuple(line[max(0, i - metric.order + 1) : i])
                p = [expert(line[i], history) for expert in experts]
                logs.append(math.log(row @ p))
        found = table.loc[table["train_set"] == name, "alignment"].item()
        assert found == pytest.approx(np.mean(logs))

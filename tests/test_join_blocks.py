"""Blocks of a comparison, joined, have the values of one job that compares all sets."""

import logging
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.test_compare_sets import arguments, with_answers, write_ids, zipf_ids
from workflow_scripts import compare_sets, join_blocks
from workflow_scripts.errors import UserError
from workflow_scripts.metrics.pairs import needed_pairs

FLOOR = "random.train"
VALUES = ["alignment", "ci_low", "ci_high", "floor", "ceiling", "rows", "tokens", "n_source_batches"]


@pytest.fixture
def sets(tmp_path):
    """Five training and two evaluation sets with words in another order of frequency each, and the floor."""
    made = {f"t{n}.train": zipf_ids(n, 3 * n) for n in range(5)}
    made |= {f"e{n}.eval": zipf_ids(10 + n, 4 * n) for n in range(2)}
    made[FLOOR] = np.random.default_rng(3).integers(60, size=(40, 16))
    paths = {name: tmp_path / f"{name}.parquet" for name in made}
    for name, ids in made.items():
        write_ids(ids, paths[name])
    return paths


@pytest.fixture
def in_blocks(tmp_path, sets):
    """Compare the sets in blocks of three sources and join them; returns the table, and the seconds of each set."""

    def run(metric, names, store="store", more=()):
        blocks = [names[i : i + 3] for i in range(0, len(names), 3)]
        for number, sources in enumerate(blocks):
            read = {*sources, FLOOR, *(name for name in names if name.endswith(".eval"))}
            given = arguments(
                tmp_path,
                {name: sets[name] for name in read},
                without_floor_set=False,
                output=f"{number}.parquet",
                metric=metric,
                store=tmp_path / store,
                tokenizer="any",
            )
            answers = with_answers(sets, *sorted(read)) if more else []
            compare_sets.main([*given, *answers, "--sources", *sources])
        files = [str(tmp_path / f"{number}.parquet") for number in range(len(blocks))]
        costs = [str(tmp_path / f"cost-{number}.parquet") for number in range(len(blocks))]
        options = [f"--metric={metric}", "--tables", *files, "--costs", *costs, f"--floor={FLOOR}"]
        join_blocks.main([*options, f"--output={tmp_path}/joined.parquet", f"--cost={tmp_path}/cost.parquet"])
        table, cost = (pq.read_table(tmp_path / f"{name}.parquet").to_pandas() for name in ("joined", "cost"))
        return table.set_index(["part", "source", "target"]), cost.set_index(["part", "set"])["seconds"]

    return run


@pytest.fixture
def at_once(tmp_path, sets):
    """Compare all pairs in one job; returns the table, and the seconds of each set."""

    def run(metric, store="at_once", more=()):
        given = arguments(
            tmp_path,
            sets,
            without_floor_set=False,
            output="all.parquet",
            metric=metric,
            store=tmp_path / store,
            tokenizer="any",
        )
        compare_sets.main([*given, *(with_answers(sets, *sets) if more else [])])
        table, cost = (pq.read_table(tmp_path / f"{n}.parquet").to_pandas() for n in ("all", "cost-all"))
        return table.set_index(["part", "source", "target"]), cost.set_index(["part", "set"])["seconds"]

    return run


def counts(caplog):
    found = [tuple(map(int, one)) for one in re.findall(r"pairs: computed (\d+), reused (\d+)", caplog.text)]
    caplog.clear()
    return sum(computed for computed, _ in found), sum(reused for _, reused in found)


@pytest.mark.parametrize("metric", ["unigram_js", "ngram_cross_entropy", "ngram_whole"])
@pytest.mark.parametrize("answers", [False, True])
def test_joined_blocks_have_the_values_of_one_job(metric, answers, sets, in_blocks, at_once, monkeypatch):
    monkeypatch.setattr("workflow_scripts.metrics.opening.open_tokenizer", lambda path: range(60))
    whole, cost_of_whole = at_once(metric, more=answers)
    table, cost = in_blocks(metric, sorted(sets), more=answers)
    assert set(table.loc["whole"].index) == set(needed_pairs(sets, sets, FLOOR))
    assert table.columns.tolist() == whole.columns.tolist()
    assert (table[VALUES] == whole.loc[table.index, VALUES]).all(axis=None)
    # With fewer sources of a target, fewer can be below the floor, so more targets may have a scale.
    scaled = table.index[whole.loc[table.index, "calibrated"].notna()]
    assert (table.loc[scaled, "calibrated"] == whole.loc[scaled, "calibrated"]).all()
    assert sorted(cost.index) == sorted(cost_of_whole.index) and (cost > 0).all()


def test_one_more_set_in_the_middle_costs_only_its_own_pairs(sets, in_blocks, caplog):
    caplog.set_level(logging.INFO)
    few = [name for name in sorted(sets) if name != "t1.train"]
    in_blocks("unigram_js", few)
    assert counts(caplog) == (len(needed_pairs(few, few, FLOOR)), 0)
    fewer_seconds = in_blocks("unigram_js", few)[1]
    counts(caplog)
    _, seconds = in_blocks("unigram_js", sorted(sets))
    assert counts(caplog) == (2 + 2, len(needed_pairs(few, few, FLOOR)))
    assert seconds["whole", "t0.train"] == pytest.approx(fewer_seconds["whole", "t0.train"])
    assert seconds["whole", "e0.eval"] > fewer_seconds["whole", "e0.eval"]


def test_pairs_of_one_job_are_found_by_blocks(sets, in_blocks, at_once, caplog):
    caplog.set_level(logging.INFO)
    at_once("unigram_js", store="same")
    counts(caplog)
    in_blocks("unigram_js", sorted(sets), store="same")
    assert counts(caplog) == (0, len(needed_pairs(sets, sets, FLOOR)))


def test_a_set_has_one_file_in_the_store(tmp_path, sets, in_blocks):
    in_blocks("unigram_js", sorted(sets))
    assert sum(path.is_file() for path in (tmp_path / "store").rglob("*")) == len(sets)


def test_mistakes_are_one_sentence(tmp_path, sets):
    with pytest.raises(UserError, match=r"--sources names absent\.train, which no --set names"):
        compare_sets.main([*arguments(tmp_path, sets), "--sources", "absent.train"])

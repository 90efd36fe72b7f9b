import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.compare_sets import main
from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import write_json, write_table
from workflow_scripts.tokens.rows import Rows, write_rows

LENGTH, VOCABULARY = 16, 60
COLUMNS = [
    "metric",
    "part",
    "source",
    "target",
    "alignment",
    "ci_low",
    "ci_high",
    "floor",
    "ceiling",
    "calibrated",
    "calibrated_low",
    "calibrated_high",
    "rows",
    "tokens",
    "n_source_batches",
    "n_target_batches",
    "why_not_calibrated",
]


def zipf_ids(seed, shift, n_rows=40):
    """Tokens whose frequencies fall by rank; `shift` rotates which token has which rank."""
    weights = 1 / np.arange(1, VOCABULARY + 1)
    ids = np.random.default_rng(seed).choice(VOCABULARY, size=(n_rows, LENGTH), p=weights / weights.sum())
    return (ids + shift) % VOCABULARY


def write_ids(ids, path, answers=None):
    n_rows = len(ids)
    write_rows(
        Rows(
            [f"{path.stem}/{i}" for i in range(n_rows)],
            [[f"{path.stem}-document-{i}"] for i in range(n_rows)],
            ids.astype(np.int32),
            np.full(n_rows, ids.shape[1], dtype=np.int32),
            np.ones(ids.shape, dtype=bool) if answers is None else answers,
        ),
        path,
    )


@pytest.fixture
def sets(tmp_path):
    made = {
        "one.train": zipf_ids(0, 0),
        "one.eval": zipf_ids(1, 0),
        "two.train": zipf_ids(2, 2),
        "random.train": np.random.default_rng(3).integers(VOCABULARY, size=(40, LENGTH)),
    }
    paths = {name: tmp_path / f"{name}.parquet" for name in made}
    for name, ids in made.items():
        write_ids(ids, paths[name])
    return paths


def arguments(
    tmp_path, sets, floor="random.train", without_floor_set=True, output="alignment.parquet", **options
):
    given = {
        "metric": "unigram_js",
        "batches": 4,
        "rows-per-batch": 8,
        "seed": 0,
        "store": tmp_path / "store",
    } | options
    given |= {"output": tmp_path / output, "cost": tmp_path / f"cost-{output}"}
    found = [f"--floor={floor}={sets[floor]}"]
    found += [f"--set={name}={path}" for name, path in sets.items() if name != floor or not without_floor_set]
    return found + [f"--{name}={value}" for name, value in given.items()]


def read(tmp_path, output="alignment.parquet"):
    return pq.read_table(tmp_path / output).to_pandas().set_index(["source", "target"])


def test_table_has_every_ordered_pair_and_the_designed_columns(tmp_path, sets):
    main(arguments(tmp_path, sets))
    assert pq.read_schema(tmp_path / "alignment.parquet").names == COLUMNS
    table = read(tmp_path)
    assert list(table.index) == [
        (a, b) for a in sorted(sets) for b in sorted(sets) if "random.train" not in (a, b)
    ]
    assert (table["rows"] == 8).all() and (table["tokens"] == 8 * LENGTH).all()
    assert (table["ci_low"] <= table["alignment"]).all() and (table["alignment"] <= table["ci_high"]).all()
    assert (
        table.loc[("one.train", "one.eval"), "alignment"] > table.loc[("two.train", "one.eval"), "alignment"]
    )
    assert table.loc[("one.eval", "one.eval"), "alignment"] == table.loc[("two.train", "one.eval"), "ceiling"]
    costs = pq.read_table(tmp_path / "cost-alignment.parquet").to_pandas()
    assert list(costs["set"]) == sorted(sets) and (costs["seconds"] > 0).all()


def test_symmetric_metric_is_symmetric_to_the_last_bit(tmp_path, sets):
    main(arguments(tmp_path, sets))
    table = read(tmp_path)["alignment"].unstack()
    assert (table.to_numpy() == table.to_numpy().T).all()


def test_floor_among_the_sets_changes_no_calibrated_value(tmp_path, sets):
    main(arguments(tmp_path, sets))
    main(arguments(tmp_path, sets, without_floor_set=False, output="with.parquet"))
    apart, among = read(tmp_path), read(tmp_path, "with.parquet")
    assert among.loc[apart.index, "calibrated"].to_numpy() == pytest.approx(apart["calibrated"].to_numpy())
    noise = among.loc[("random.train", "one.train")]
    assert noise["calibrated"] == pytest.approx(0) and noise["alignment"] == noise["floor"]


def test_a_set_under_a_second_name_is_compared_on_disjoint_batches_only(tmp_path, sets):
    main(arguments(tmp_path, sets | {"copy.train": sets["one.train"]}))
    table = read(tmp_path)
    assert (
        table.loc[("copy.train", "one.train"), "alignment"]
        == table.loc[("one.train", "one.train"), "alignment"]
        < 1
    )


def test_one_more_set_costs_its_own_pairs(tmp_path, sets, caplog):
    caplog.set_level(logging.INFO)
    few = {name: path for name, path in sets.items() if name != "two.train"}
    main(arguments(tmp_path, few, output="few.parquet"))
    assert "pairs: computed 5, reused 0" in caplog.text
    main(arguments(tmp_path, sets))
    # Two more sources for the pairs: itself, the two known sets, and the floor.
    assert "pairs: computed 4, reused 5" in caplog.text
    again = arguments(tmp_path, sets, output="again.parquet")
    main(again)
    assert "pairs: computed 0, reused 9" in caplog.text
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "alignment.parquet").read_bytes()
    assert (tmp_path / "cost-again.parquet").read_bytes() == (
        tmp_path / "cost-alignment.parquet"
    ).read_bytes()
    main(arguments(tmp_path, sets, output="fresh.parquet", store=tmp_path / "another"))
    assert (tmp_path / "fresh.parquet").read_bytes() == (tmp_path / "alignment.parquet").read_bytes()


def test_names_and_order_of_sets_do_not_change_values(tmp_path, sets):
    main(arguments(tmp_path, sets))
    renamed = {"zebra.train" if name == "one.train" else name: sets[name] for name in reversed(sets)}
    main(arguments(tmp_path, renamed, output="renamed.parquet", store=tmp_path / "another"))
    first, second = read(tmp_path), read(tmp_path, "renamed.parquet")
    for a, b in (("one.train", "two.train"), ("one.eval", "one.train")):
        key = tuple("zebra.train" if name == "one.train" else name for name in (a, b))
        assert first.loc[(a, b), "alignment"] == second.loc[key, "alignment"]


def test_doubling_the_batches_stays_inside_the_interval(tmp_path, sets):
    for name, seed, shift in (("one.train", 0, 0), ("one.eval", 1, 0), ("two.train", 2, 2)):
        write_ids(zipf_ids(seed, shift, 200), sets[name])
    write_ids(np.random.default_rng(3).integers(VOCABULARY, size=(200, LENGTH)), sets["random.train"])
    main(arguments(tmp_path, sets, batches=8))
    main(arguments(tmp_path, sets, batches=16, output="double.parquet"))
    eight, sixteen = read(tmp_path), read(tmp_path, "double.parquet")
    assert (eight["ci_low"] <= sixteen["alignment"]).all() and (
        sixteen["alignment"] <= eight["ci_high"]
    ).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batches": 3}, "3 batches: at least 4"),
        ({"metric": "telepathy"}, "metric 'telepathy' is unknown; known are gzip_pairs, "),
        ({"metric": "intervals"}, "metric 'intervals' is unknown"),
        ({"rows-per-batch": 11}, "4 batches of 11 rows need 44 rows, and the set has 40"),  # the floor, too
    ],
)
def test_mistakes_are_errors_in_one_line(tmp_path, sets, options, said):
    with pytest.raises(UserError, match=said):
        main(arguments(tmp_path, sets, **options))


def test_a_set_with_too_few_rows_costs_its_own_pairs_only(tmp_path, sets, caplog):
    short = tmp_path / "short.parquet"
    write_ids(zipf_ids(4, 0, n_rows=30), short)
    main(arguments(tmp_path, sets))
    before = (tmp_path / "alignment.parquet").read_bytes()
    with caplog.at_level(logging.WARNING):
        main([*arguments(tmp_path, sets), f"--set=short.train={short}"])
    assert (tmp_path / "alignment.parquet").read_bytes() == before
    assert "short.train is left out" in caplog.text and "the set has 30" in caplog.text


def test_mistakes_in_names_and_files(tmp_path, sets):
    with pytest.raises(UserError, match="NAME=PATH"):
        main([*arguments(tmp_path, sets), "--set=one.train"])
    with pytest.raises(UserError, match=r"names one\.train twice"):
        main([*arguments(tmp_path, sets), f"--set=one.train={sets['one.train']}"])
    with pytest.raises(UserError, match=r"no file of rows at .*absent.parquet"):
        main([*arguments(tmp_path, sets), f"--set=three.train={tmp_path / 'absent.parquet'}"])


def write_embeddings(path, seed, level, batches=6, rows=8, length=20):
    """As embed_batches writes them: positive numbers around `level`, 31 scored positions a row."""
    rng = np.random.default_rng(seed)
    table = {
        "batch": list(range(batches)),
        "row_ids": [[f"{path.stem}/{batch}-{row}" for row in range(rows)] for batch in range(batches)],
        "n_scored": [31 * rows] * batches,
        "embedding": list((level * rng.gamma(4, size=(batches, length))).astype(np.float32)),
    }
    write_table(pa.table(table), path)
    return path


@pytest.fixture
def embeddings(tmp_path):
    levels = np.ones(20), np.linspace(0.5, 1.5, 20), np.linspace(30, 0.1, 20)
    names = "one.train", "one.eval", "random.train"
    return {
        name: write_embeddings(tmp_path / f"{name}.embeddings.parquet", seed, level)
        for seed, (name, level) in enumerate(zip(names, levels, strict=True))
    }


def test_fisher_metrics_read_embeddings_and_count_what_those_cost(tmp_path, embeddings):
    times = tmp_path / "times.json"
    write_json({"seconds": 1000.5}, times)
    main([*arguments(tmp_path, embeddings, metric="task2vec"), f"--times=one.eval={times}"])
    table = read(tmp_path)
    assert (table["n_source_batches"] == 4).all() and (table["tokens"] == 32 * 8).all()
    assert table.loc[("one.train", "one.eval"), "alignment"] > table.loc[("one.train", "one.eval"), "floor"]
    costs = pq.read_table(tmp_path / "cost-alignment.parquet").to_pandas().set_index("set")["seconds"]
    assert costs["one.eval"] > 1000.5 > costs["one.train"] > 0


def test_embeddings_that_do_not_fit_are_refused(tmp_path, embeddings):
    with pytest.raises(UserError, match="has 6 batches, but 8 are requested"):
        main(arguments(tmp_path, embeddings, metric="task2vec", batches=8))
    with pytest.raises(UserError, match="batches of 8 rows, but 16 are requested"):
        main(arguments(tmp_path, embeddings, **{"metric": "task2vec", "rows-per-batch": 16}))
    other = write_embeddings(tmp_path / "three.parquet", 5, np.ones(19), length=19)
    with pytest.raises(UserError, match="different lengths"):
        main([*arguments(tmp_path, embeddings, metric="task2vec"), f"--set=three.train={other}"])


@pytest.fixture
def paired(sets):
    """The sets, of which two hold pairs: tokens of the one are the prompts of both, answers differ."""
    answers = np.zeros((40, LENGTH), dtype=bool)
    answers[:, LENGTH // 2 :] = True
    for name, seed, shift in (("one.train", 5, 0), ("one.eval", 6, 30)):
        ids = zipf_ids(seed, 0)
        ids[:, LENGTH // 2 :] = zipf_ids(seed + 10, shift)[:, LENGTH // 2 :]
        write_ids(ids, sets[name], answers)
    return sets


def with_answers(sets, *names):
    return [f"--answers={name}={sets[name]}" for name in names]


def test_answers_are_a_part_of_their_own_and_plain_text_counts_as_a_whole(tmp_path, paired):
    compared = "one.train", "one.eval", "two.train", "random.train"
    main([*arguments(tmp_path, paired), *with_answers(paired, *compared)])
    main(arguments(tmp_path, paired, output="without.parquet"))
    table = pq.read_table(tmp_path / "alignment.parquet").to_pandas()
    keys = list(zip(table["part"], table["source"], table["target"], strict=True))
    assert keys == sorted(keys) and set(table["part"]) == {"whole", "answer"}
    whole, answers = (
        table[table["part"] == part].set_index(["source", "target"]) for part in ("whole", "answer")
    )
    without = read(tmp_path, "without.parquet")
    assert (without["part"] == "whole").all() and len(without) == 9
    values = ["alignment", "ci_low", "ci_high", "floor", "ceiling", "tokens"]
    assert (whole[values] == without[values]).all(axis=None)
    assert set(answers.index) == {(a, b) for a in compared for b in compared}
    pairs = ("one.train", "one.eval")
    assert answers.loc[pairs, "alignment"] < whole.loc[pairs, "alignment"] - 0.05
    assert (answers.loc[pairs, "tokens"], whole.loc[pairs, "tokens"]) == (8 * LENGTH // 2, 8 * LENGTH)
    plain = ("two.train", "two.train")
    assert answers.loc[plain, "alignment"] == whole.loc[plain, "alignment"]
    assert answers.loc[plain, "tokens"] == 8 * LENGTH
    assert answers.loc[("random.train", "one.eval"), "alignment"] == answers.loc[pairs, "floor"]
    assert answers.loc[("one.eval", "one.eval"), "alignment"] == answers.loc[pairs, "ceiling"]
    costs = pq.read_table(tmp_path / "cost-alignment.parquet").to_pandas()
    assert sorted(costs.loc[costs["part"] == "answer", "set"]) == sorted(compared)


def test_text_without_pairs_is_computed_once_for_both_parts(tmp_path, paired, caplog):
    caplog.set_level(logging.INFO)
    main([*arguments(tmp_path, paired, without_floor_set=False), *with_answers(paired, *paired)])
    # Of 10 tables of sets, the 3 without a set of pairs are reused.
    assert "pairs: computed 7, reused 3" in caplog.text


def test_embeddings_of_answers_stand_beside_those_of_whole_rows(tmp_path, embeddings):
    other = write_embeddings(tmp_path / "answers.parquet", 9, np.linspace(3, 0.1, 20))
    times = tmp_path / "times.json"
    write_json({"seconds": 500.5}, times)
    answers = embeddings | {"one.eval": other}
    main(
        [
            *arguments(tmp_path, embeddings, metric="task2vec"),
            *with_answers(answers, *answers),
            f"--answer-times=one.eval={times}",
        ]
    )
    table = pq.read_table(tmp_path / "alignment.parquet").to_pandas()
    table = table.set_index(["part", "source", "target"]).sort_index()
    assert (
        table.loc[("answer", "one.train", "one.train"), "alignment"]
        == table.loc[("whole", "one.train", "one.train"), "alignment"]
    )
    pair = ("one.train", "one.eval")
    assert table.loc[("answer", *pair), "alignment"] < table.loc[("whole", *pair), "alignment"]
    assert table.loc[("answer", "one.eval", "one.eval"), "tokens"] == 31 * 8
    costs = pq.read_table(tmp_path / "cost-alignment.parquet").to_pandas()
    costs = costs.set_index(["part", "set"])["seconds"]
    assert costs["answer", "one.eval"] > 500.5 > costs["whole", "one.eval"]


def test_mistakes_about_answers_are_errors_in_one_line(tmp_path, paired, embeddings):
    given = arguments(tmp_path, paired)
    with pytest.raises(UserError, match=r"--answers must name the floor random\.train"):
        main([*given, *with_answers(paired, "one.train")])
    with pytest.raises(UserError, match=r"--answers names absent\.train, which no --set names"):
        main([*given, *with_answers(paired | {"absent.train": "x"}, "absent.train", "random.train")])
    with pytest.raises(UserError, match="metric task2vec_published cannot compare only the answers"):
        main(
            [
                *arguments(tmp_path, embeddings, metric="task2vec_published"),
                *with_answers(embeddings, *embeddings),
            ]
        )


def test_what_a_metric_needs_is_asked_for(tmp_path, sets):
    with pytest.raises(UserError, match="metric gzip_pairs needs --tokenizer"):
        main(arguments(tmp_path, sets, metric="gzip_pairs"))
    with pytest.raises(UserError, match="metric hidden_state_cosine needs --model"):
        main(arguments(tmp_path, sets, metric="hidden_state_cosine"))

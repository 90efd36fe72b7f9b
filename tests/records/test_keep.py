"""A run may be recorded in parts, and is laid out again as it was."""

import copy
from pathlib import Path

import pandas as pd
import pytest
import yaml

from workflow_scripts.errors import UserError
from workflow_scripts.plan.schema import with_defaults
from workflow_scripts.records.keep import COVARIATES, TABLES, joined, record, restore
from workflow_scripts.storage.tables import (
    read_frame,
    read_plain_json,
    write_json,
    write_plain_json,
    write_table,
)

SMALL = {
    "model": {"base": "probe"},
    "tokens": [100],
    "seeds": [0],
    "context": 32,
    "batch_rows": 1,
    "learning_rate": 0.1,
}
ROOT = Path(__file__).parents[2]
CONFIG = with_defaults(
    yaml.safe_load((ROOT / "config.yaml").read_text()) | {"run": "made_up", "recipes": {"small": SMALL}}
)


@pytest.fixture
def make_run(tmp_path):
    def make(name, seed, loss, **config):
        folder = tmp_path / name
        for path, keys in (TABLES | {COVARIATES: ["source", "target"]}).items():
            row = dict.fromkeys(keys, "x") | ({"seed": seed} if "seed" in keys else {}) | {"value": loss}
            write_table(pd.DataFrame([row]), folder / path)
        settings = copy.deepcopy(CONFIG)
        settings["recipes"]["small"]["seeds"] = [seed]
        write_json({"config": settings | config}, folder / "report/provenance.json")
        write_json({"missing": [], "not_finite": [{"seed": seed}]}, folder / "losses/missing.json")
        write_json({"seconds": loss}, folder / f"times/train_models/small/x/seeds-{seed}.json")
        return folder

    return make


def test_another_seed_joins_what_is_recorded(make_run, tmp_path):
    kept = tmp_path / "kept"
    record(make_run("one", 0, 5.0), kept)
    record(make_run("other", 1, 4.0), kept)
    losses = read_frame(kept / "losses/loss_summary.parquet")
    assert losses[["seed", "value"]].to_numpy().tolist() == [[0, 5.0], [1, 4.0]]
    assert read_frame(kept / "alignment/alignment.parquet")["value"].tolist() == [4.0]
    assert read_plain_json(kept / "config.json")["recipes"]["small"]["seeds"] == [0, 1]
    assert read_plain_json(kept / "losses/missing.json")["not_finite"] == [{"seed": 0}, {"seed": 1}]
    assert len(list((kept / "times").rglob("*.json"))) == 2


def test_the_same_seed_again_replaces_itself(make_run, tmp_path):
    kept = tmp_path / "kept"
    record(make_run("one", 0, 5.0), kept)
    record(make_run("again", 0, 4.5), kept)
    assert read_frame(kept / "losses/loss_summary.parquet")["value"].tolist() == [4.5]
    assert read_plain_json(kept / "losses/missing.json")["not_finite"] == [{"seed": 0}]


def test_parts_of_different_runs_are_refused(make_run, tmp_path):
    kept = tmp_path / "kept"
    record(make_run("one", 0, 5.0), kept)
    with pytest.raises(UserError, match="the key run of the config differs"):
        record(make_run("other", 1, 4.0, run="elsewhere"), kept)
    recipes = {"small": {**SMALL, "tokens": [200], "seeds": [1]}}
    with pytest.raises(UserError, match=r"recipes\.small differs"):
        record(make_run("longer", 1, 4.0, recipes=recipes), kept)


def test_a_key_younger_than_the_record_has_its_default_there(make_run, tmp_path):
    kept = tmp_path / "kept"
    record(make_run("one", 0, 5.0), kept)
    config = read_plain_json(kept / "config.json")
    del config["alignment"]["measured_as"], config["recipes"]["small"]["fewer_tokens"]
    write_plain_json(config, kept / "config.json")
    record(make_run("other", 1, 4.0), kept)
    assert read_plain_json(kept / "config.json")["alignment"]["measured_as"] == {}
    younger = {**CONFIG["alignment"], "measured_as": {"a": "b"}}
    with pytest.raises(UserError, match="the key alignment of the config differs"):
        record(make_run("third", 2, 4.0, alignment=younger), kept)


def test_an_unfinished_run_is_refused(make_run, tmp_path):
    run = make_run("one", 0, 5.0)
    (run / "alignment/covariates.parquet").unlink()
    with pytest.raises(UserError, match=r"covariates\.parquet is missing"):
        record(run, tmp_path / "kept")


def test_a_restored_run_has_the_recorded_tables(make_run, tmp_path):
    run, kept, again = make_run("one", 0, 5.0), tmp_path / "kept", tmp_path / "again"
    record(run, kept)
    config = restore(kept, again)
    assert config["only_existing"] is True
    assert config["pathvars"] == {"results": str(again)}
    assert config["recipes"]["small"]["model"]["type"] is None
    assert config["probe"]["model"]["settings"] == CONFIG["probe"]["model"]["settings"]
    for name in TABLES:
        assert (again / name).read_bytes() == (run / name).read_bytes()
    with pytest.raises(UserError, match="is not a recorded run"):
        restore(tmp_path / "nothing", again)


def test_a_table_that_a_run_may_lack_is_kept_and_laid_out_where_it_is_there(make_run, tmp_path):
    run, old = make_run("one", 0, 5.0), make_run("old", 0, 5.0)
    table = "losses/ngram_summary.parquet"
    write_table(pd.DataFrame({"experiment": ["x"], "loss": [3.5]}), run / table)
    for name, made in (("new", run), ("older", old)):
        record(made, tmp_path / name)
        restore(tmp_path / name, tmp_path / f"{name} again")
    assert (tmp_path / "new again" / table).read_bytes() == (run / table).read_bytes()
    assert not (tmp_path / "older again" / table).exists()


def test_joined_rows_are_in_the_order_of_their_keys():
    kept = pd.DataFrame({"key": ["b", "c"], "value": [1, 2]})
    new = pd.DataFrame({"key": ["c", "a"], "value": [3, 4]})
    assert joined(kept, new, ["key"]).to_numpy().tolist() == [["a", 4], ["b", 1], ["c", 3]]


def test_a_record_that_is_older_than_parts_is_of_whole_rows(make_run, tmp_path):
    kept, run = tmp_path / "kept", make_run("one", 0, 5.0)
    older = ("alignment/alignment.parquet", "alignment/alignment_cost.parquet")
    for name in older:
        write_table(read_frame(run / name).drop(columns="part"), run / name)
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        write_table(read_frame(run / name), kept / name)
    write_plain_json(CONFIG, kept / "config.json")
    restore(kept, tmp_path / "restored")
    for name in older:
        assert read_frame(tmp_path / "restored" / name)["part"].tolist() == ["whole"]
    newer = make_run("other", 0, 4.0)
    for name in older:
        write_table(read_frame(newer / name).assign(part="answer"), newer / name)
    record(newer, kept)
    for name in older:
        table = read_frame(kept / name)
        assert dict(zip(table["part"], table["value"], strict=True)) == {"answer": 4.0, "whole": 5.0}


def test_alignments_by_other_probes_are_kept_without_their_seconds(make_run, tmp_path):
    run, kept, again = make_run("one", 0, 5.0), tmp_path / "kept", tmp_path / "again"
    frame = pd.DataFrame(
        {"metric": ["task2vec"], "alignment": [0.123456789], "ci_low": [0.1], "ci_high": [0.2]}
    )
    names = [f"alignment/probes/seed-1/{name}.parquet" for name in ("task2vec", "mixtures/task2vec")]
    for name in (*names, "alignment/probes/seed-1/task2vec.cost.parquet"):
        write_table(frame, run / name)
    record(run, kept)
    restore(kept, again)
    assert sorted(
        path.relative_to(again).as_posix() for path in again.rglob("probes/**/*.parquet")
    ) == sorted(names)
    assert read_frame(again / names[0]).equals(frame)

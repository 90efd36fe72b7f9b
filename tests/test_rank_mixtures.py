"""The program on made-up tables: ten runs of a user's own, by the documentation."""

import json

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.rank_mixtures import main
from workflow_scripts.storage.tables import read_frame, write_table

PARTS, TARGETS = ["x", "y", "z"], ["x", "t"]
GAPS = np.array([[0.0, 0.4], [0.5, 0.02], [0.1, 0.3]])
OUTPUTS = ("output", "differences", "worth", "laws", "points", "predicted")


def alignments():
    rows = [
        ("m", f"{part}.train", f"{target}.eval", 0.9 - GAPS[d, j])
        for d, part in enumerate(PARTS)
        for j, target in enumerate(TARGETS)
    ]
    rows.append(("m", "t.eval", "t.eval", 0.9))  # t is no part: it is compared with itself
    table = pd.DataFrame(rows, columns=["metric", "source", "target", "alignment"])
    return table.assign(ci_low=table["alignment"] - 0.01, ci_high=table["alignment"] + 0.01)


def experiment(name, **changes):
    defaults = {"model": None, "proxies": None, "sharpen_from": [], "parameters": None, "stand_ins": []}
    return {"name": name, "kind": "recorded", "parts": PARTS, "eval_sets": TARGETS, **defaults, **changes}


@pytest.fixture
def run_job(tmp_path):
    write_table(alignments(), tmp_path / "alignment.parquet")
    for name, n, seed in (("mine", 10, 0), ("cheap", 30, 1)):
        rng = np.random.default_rng(seed)
        shares = rng.dirichlet(np.ones(3), n)
        losses = 3 - 0.3 * np.log(0.01 + shares @ np.exp(-np.sqrt(GAPS / 0.05)))
        names = [f"{name}_{i}" for i in range(n)]
        wide = pd.DataFrame(shares, columns=PARTS, index=pd.Index(names, name="train_set"))
        long = wide.melt(ignore_index=False, var_name="corpus", value_name="share").reset_index()
        write_table(long, tmp_path / f"{name}.shares.parquet")
        table = pd.DataFrame(losses, columns=TARGETS, index=pd.Index(names, name="train_set"))
        long = table.melt(ignore_index=False, var_name="eval_set", value_name="loss").reset_index()
        write_table(long.assign(tokens=0, seed=0), tmp_path / f"{name}.losses.parquet")

    def run(*experiments, threads=1):
        files = []
        for one in experiments:
            files += ["--losses", f"{one['name']}={tmp_path / one['name']}.losses.parquet"]
            files += ["--shares", f"{one['name']}={tmp_path / one['name']}.shares.parquet"]
        outputs = [word for name in OUTPUTS for word in (f"--{name}", str(tmp_path / f"{name}.parquet"))]
        words = ["--experiments", json.dumps([*experiments, {"name": "trained", "kind": "pretraining"}])]
        words += ["--alignment", str(tmp_path / "alignment.parquet"), *files, "--proxies", "8", "100"]
        words += ["--draws", "2", "--resamples", "50", "--seed", "0", "--threads", str(threads)]
        main([*words, *outputs])
        return {name: read_frame(tmp_path / f"{name}.parquet") for name in OUTPUTS}

    return run


def test_ten_runs_of_ones_own(run_job):
    tables = run_job(experiment("mine"))
    ranking = tables["output"]
    text = ranking.query("predictor == 'effective_tokens' and kernel == 'root' and scope == 'all'")
    assert text.set_index("eval_set").loc["mean", "spearman"] > 0.95
    assert text["note"].eq("tau was chosen on these losses").all()
    law = ranking[(ranking["predictor"] == "law") & (ranking["metric"] == "m")]
    assert law["note"].str.contains("of 10 folds").all()
    assert "own_share" not in set(ranking["metric"])  # t is in no part, so there is no own share to rank by
    assert set(tables["worth"]["source"]) == {"text", "law"}
    assert tables["laws"].empty
    assert len(tables["points"]) == 10 * 2


def test_with_proxies_as_many_are_drawn_as_there_are(run_job):
    tables = run_job(experiment("cheap"), experiment("mine", proxies="cheap"))
    mine = tables["output"].query("experiment == 'mine' and predictor == 'law'")
    assert set(mine["proxies"]) == {8}  # there are no 100
    assert set(tables["worth"]["experiment"]) == {"cheap"}
    assert set(tables["laws"]["experiment"]) == {"mine"}  # of the same model, so its intervals can be checked


def test_predicted_losses_are_those_that_the_law_is_judged_by(run_job):
    tables = run_job(experiment("cheap"), experiment("mine", proxies="cheap"))
    predicted = tables["predicted"]
    mine = predicted[predicted["experiment"] == "mine"]
    assert len(mine) == 10 * 2 and set(mine["proxies"]) == {8}  # the first of two draws alone
    assert np.abs(mine["predicted"] - mine["loss"]).mean() < 0.1
    # Each of these runs is predicted from the other folds, so there is one draw, and it must rank as the table says.
    folds = predicted[predicted["experiment"] == "cheap"]
    assert set(folds["proxies"]) == {27} and folds["note"].str.contains("of 10 folds").all()
    ranking = tables["output"].query(
        "experiment == 'cheap' and predictor == 'law' and metric == 'm' and scope == 'all'"
    )
    for target, rows in folds.groupby("eval_set"):
        expected = ranking.set_index("eval_set").loc[target, "spearman"]
        assert rows["predicted"].corr(rows["loss"], method="spearman") == pytest.approx(expected)


def test_tables_do_not_depend_on_how_many_processes_work(run_job):
    studied = [experiment("cheap"), experiment("mine", proxies="cheap")]
    one, two = run_job(*studied), run_job(*studied, threads=2)
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, two[name], check_exact=True)

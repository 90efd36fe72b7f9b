"""The program on a made-up table: files, decimals, the config's own check of the mixture, mistakes."""

import json

import pandas as pd
import pytest
import yaml

from workflow_scripts.errors import UserError
from workflow_scripts.mix_candidates import main
from workflow_scripts.storage.tables import read_frame, write_json, write_table

OUTPUTS = ("output", "gains", "shares", "mixture")


@pytest.fixture
def run_job(tmp_path):
    values = {
        ("a", "t"): -2.2,
        ("b", "t"): -2.5,
        ("a", "u"): -3.5,
        ("b", "u"): -3.1,
        ("c", "t"): -4,
        ("c", "u"): -4,
    }
    rows = [("unigram_js", f"{c}.train", f"{t}.eval", value) for (c, t), value in values.items()]
    rows += [
        ("unigram_js", "t.eval", "t.eval", -2.0),
        ("unigram_js", "u.eval", "u.eval", -3.0),
        ("other", "a.train", "t.eval", 9.0),
    ]
    table = pd.DataFrame(rows, columns=["metric", "source", "target", "alignment"])
    table = table.assign(ci_low=table["alignment"] - 0.02, ci_high=table["alignment"] + 0.02)
    write_table(table, tmp_path / "alignment.parquet")
    sizes = {"a.train": 20, "b.train": 80, "c.train": 900, "t.eval": 50}
    write_json({name: {"tokens": size} for name, size in sizes.items()}, tmp_path / "s.json")

    def run(**changes):
        options = {
            "alignment": tmp_path / "alignment.parquet",
            "metric": "unigram_js",
            "sizes": tmp_path / "s.json",
            "candidates": ["a", "b", "c"],
            "targets": ["t", "u"],
            "weights": [2, 1],
            "tokens": 100,
            "epochs": 4,
            "slope": 0.15,
            "log-slope-sd": 0.25,
            "draws": 50,
            "seed": 0,
            **{name: tmp_path / name for name in OUTPUTS},
            **changes,
        }
        words = []
        for name, value in options.items():
            words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
        main(words)
        return tmp_path

    return run


def test_all_outputs(run_job):
    folder = run_job()
    mix, gains = read_frame(folder / "output"), read_frame(folder / "gains")
    assert mix["tokens"].sum() == 100 and mix["candidate"].tolist() == ["a", "b", "c"]
    assert mix["share"].iloc[0] > mix["share"].iloc[1] > mix["share"].iloc[2] == 0
    assert set(gains["target"]) == {"t", "u", "mean"}
    mean = gains[gains["target"] == "mean"]
    assert (mean["effective_token_ratio"] >= 1).all() and (mean["low"] < mean["high"]).all()
    shares = json.loads((folder / "shares").read_text())
    entry = yaml.safe_load((folder / "mixture").read_text())
    assert entry["source"] == "mixture" and sum(entry["fractions"].values()) == 1
    assert entry["fractions"] == {name: share for name, share in shares.items() if share}


def test_the_same_seed_gives_the_same_bytes(run_job):
    first = [(run_job() / name).read_bytes() for name in OUTPUTS]
    assert [(run_job() / name).read_bytes() for name in OUTPUTS] == first
    assert (run_job(seed=1) / "gains").read_bytes() != first[1]


def test_a_minimum_share_is_kept(run_job):
    folder = run_job(**{"minimum-share": "c=0.25"})
    assert json.loads((folder / "shares").read_text())["c"] == 0.25


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tokens": 5000}, "at most 4,000 tokens at 4 epochs"),
        ({"minimum-share": "c"}, "write it as NAME=NUMBER"),
        ({"minimum-share": "c=much"}, "write it as NAME=NUMBER"),
        ({"minimum-share": "d=0.1"}, "minimum share for the unknown candidate d"),
        ({"candidates": ["a", "d"]}, "tokens of the candidate d are unknown"),
        ({"candidates": ["a", "a"]}, "named twice"),
        ({"targets": ["t", "v"]}, r"alignment of a\.train with v\.eval is missing"),
        ({"metric": "n"}, "no alignments by n; it has other, unigram_js"),
        ({"metric": "other"}, "other has not been compared with losses"),
        ({"slope": 0}, "set a slope above 0"),
        ({"draws": 0}, "number of draws is 0"),
        ({"targets": ["t", "t"]}, "target is named twice"),
        ({"weights": [1]}, "2 targets and 1 weights"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(run_job, changes, says):
    with pytest.raises(UserError, match=says):
        run_job(**changes)

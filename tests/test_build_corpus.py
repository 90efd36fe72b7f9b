"""The program: from a config entry to a table and a manifest."""

import json
from pathlib import Path

import pytest

from workflow_scripts.build_corpus import main
from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import read_frame, read_json


@pytest.fixture
def build(tmp_path):
    """Build a corpus into a folder of its name, and return its documents and manifest."""

    def run(name: str, spec: dict, *more: str, held_out: float = 0.3):
        folder = tmp_path / name
        options = {
            "--name": name,
            "--spec": json.dumps(spec),
            "--held-out": str(held_out),
            "--seed": "0",
            "--documents": str(folder / "documents.parquet"),
            "--manifest": str(folder / "manifest.json"),
        }
        main([*(part for option in options.items() for part in option), *more])
        return read_frame(folder / "documents.parquet"), read_json(folder / "manifest.json")

    return run


@pytest.fixture
def pairs_spec(tmp_path):
    rows = [{"nl": f"statement number {n} is true", "formal": f"theorem t{n} : P {n}"} for n in range(60)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    return {"source": "files", "paths": [str(path)], "prompt": "nl", "completion": "formal", "licence": "MIT"}


def test_a_corpus_of_files(build, pairs_spec):
    frame, manifest = build("pairs", pairs_spec)
    assert list(frame.columns) == ["doc_id", "source_object", "split", "text", "prompt", "completion"]
    assert (frame["text"] == frame["prompt"] + frame["completion"]).all()
    assert manifest["documents"] == frame["split"].value_counts().to_dict()
    assert manifest["bytes"]["eval"] == frame.loc[frame["split"] == "eval", "text"].str.len().sum()
    assert manifest["duplicates_removed"] == 1
    assert manifest["licence"] == "MIT"
    assert manifest["source"] == "files: rows.jsonl"


def test_the_same_corpus_is_the_same_bytes(build, tmp_path):
    spec = {
        "source": "environment",
        "kind": "docstrings",
        "packages": ["tabulate", "patsy"],
        "limit_bytes": 20_000,
    }
    build("once", spec)
    first = {path.name: path.read_bytes() for path in (tmp_path / "once").iterdir()}
    build("once", spec)
    assert {path.name: path.read_bytes() for path in (tmp_path / "once").iterdir()} == first
    assert str(Path.home()).encode() not in b"".join(first.values())
    manifest = json.loads(first["manifest.json"])
    assert set(manifest["environment"]["packages"]) == {"tabulate", "patsy"}


def test_a_derived_corpus_keeps_the_sides_of_its_base(build, pairs_spec, tmp_path):
    base, base_manifest = build("pairs", pairs_spec)
    spec = {"source": "derived", "kind": "unpaired", "base": "pairs"}
    derived, manifest = build("apart", spec, "--base", str(tmp_path / "pairs" / "documents.parquet"))
    assert set(derived["split"]) == {"train", "eval"}
    side = dict(zip(base["source_object"], base["split"], strict=True))
    assert all(side[row.source_object] == row.split for row in derived.itertuples())
    assert derived["completion"].isna().all()
    assert manifest["source"] == "derived: unpaired of pairs"
    assert manifest["revision"] == base_manifest["content_hash"]


def test_plain_text_can_be_shuffled(build, tmp_path):
    (tmp_path / "text.txt").write_text("one two three four five six seven eight nine ten")
    build("plain", {"source": "files", "paths": [str(tmp_path / "*.txt")]}, held_out=0)
    spec = {"source": "derived", "kind": "word_shuffled", "base": "plain"}
    derived, _ = build("mixed", spec, "--base", str(tmp_path / "plain" / "documents.parquet"))
    assert sorted(derived["text"].item().split()) == sorted((tmp_path / "text.txt").read_text().split())


def test_evaluation_documents_do_not_repeat_other_corpora(build, pairs_spec, tmp_path):
    build("pairs", {**pairs_spec, "documents": 40}, held_out=0)
    other = str(tmp_path / "pairs" / "documents.parquet")
    frame, manifest = build("apart", pairs_spec, "--disjoint-from", other, held_out=1)
    assert set(frame["source_object"]) == {f"rows.jsonl#{n}" for n in range(40, 60)}
    assert manifest["near_duplicates_removed"] == {"of_other_corpora": 40, "of_own_train_side": 0}


@pytest.mark.parametrize(
    ("spec", "more", "message"),
    [
        (
            {"source": "web"},
            [],
            "corpus x: unknown source 'web'; known are environment, files, hub, derived",
        ),
        ({"source": "derived", "kind": "unpaired"}, [], "--base"),
        ({"source": "environment", "kind": "code", "packages": ["nothing_here"]}, [], "'nothing_here'"),
    ],
)
def test_mistakes_name_the_corpus(build, spec, more, message):
    with pytest.raises(UserError, match=message) as caught:
        build("x", spec, *more)
    assert str(caught.value).startswith("corpus x: ")


def test_a_share_beyond_one_is_refused(build, pairs_spec):
    with pytest.raises(UserError, match=r"held_out is 1\.5; allowed is 0 to 1"):
        build("x", pairs_spec, held_out=1.5)

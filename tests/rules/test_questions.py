"""Questions answered from files to pages: by the commands, by the rules once more, and by the Python face."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset

from workflow_scripts.storage.tables import read_frame

pytestmark = pytest.mark.whole_run

COMMAND = "import sys; from workflow_scripts.plumbline_command import main; main(sys.argv[1:])"


FILES = ("target.jsonl", "My-Fruit.jsonl", "both.jsonl", "metal.jsonl")
RANK = ("rank", *FILES, "--metrics", "unigram_js", "--output", "r")


def rows(seed, words, count=400):
    """Rows of words drawn at random."""
    generator = random.Random(seed)
    return [{"text": " ".join(generator.choices(words, k=40))} for _ in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A target of fruit; candidates of fruit, of both and of metals; a pool with a row of the target."""
    folder = tmp_path_factory.mktemp("own data é")
    fruit = [
        f"{a}{b}"
        for a in ("apple", "pear", "plum", "fig", "lime")
        for b in ("tree", "juice", "seed", "pie", "s")
    ]
    metal = [
        f"{a}{b}"
        for a in ("iron", "zinc", "tin", "gold", "lead")
        for b in ("ore", "wire", "leaf", "bar", "s")
    ]
    target = rows(1, fruit)
    for name, found in {
        "target": target,
        "My-Fruit": rows(2, fruit),
        "both": rows(3, fruit + metal),
        "metal": rows(4, metal) + target[:1],
    }.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    return folder


def plumbline(folder, *words, check=True):
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, words), *([] if words[0] == "run" else ["--cores", "2"])],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def ranked(folder):
    return plumbline(folder, *RANK)


def test_rank_says_which_and_leaves_its_files(folder, ranked):
    table = read_frame(folder / "r" / "ranking.parquet")
    assert list(table["candidate"]) == ["My-Fruit", "both", "metal"]
    assert "My-Fruit" in ranked.stdout.splitlines()[0]
    assert "this takes about" in ranked.stderr
    assert table.set_index("candidate").loc["metal", "leaked_target_rows"] == 1
    assert "1 row of 400 of target recurs in it" in ranked.stdout
    assert "My-Fruit" in (folder / "r" / "index.html").read_text()


def test_the_same_command_again_computes_nothing(folder, ranked):
    before = (folder / "r" / "ranking.parquet").read_bytes()
    again = plumbline(folder, *RANK)
    assert again.stdout == ranked.stdout
    assert (folder / "r" / "ranking.parquet").read_bytes() == before
    assert "Nothing to be done" in (folder / "r" / "snakemake.log").read_text()


def test_its_config_is_one_for_snakemake(folder, ranked):
    config = yaml.safe_load((folder / "r" / "config.yaml").read_text())
    config["questions"][0]["candidates"].remove("both")
    (folder / "r" / "mine.yaml").write_text(yaml.safe_dump(config))
    planned = plumbline(folder / "r", "run", "answers", "-n", "--configfile", "mine.yaml").stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", planned.split("Job stats:")[1], flags=re.MULTILINE))
    assert jobs["rank_candidates"] == "1"  # of fewer candidates
    assert "survey_pool" not in jobs and "build_corpus" not in jobs


def test_select_takes_rows_of_the_targets_kind_and_none_of_the_target(folder):
    plumbline(
        folder, "select", "target.jsonl", "metal.jsonl", "both.jsonl", "--tokens", "4k", "--output", "s.jsonl"
    )
    chosen = load_dataset(
        "json", data_files=str(folder / "s.jsonl"), split="train", cache_dir=str(folder / "cache")
    )
    assert set(chosen["source"]) == {"both"}
    target = {json.loads(line)["text"] for line in (folder / "target.jsonl").read_text().splitlines()}
    assert target.isdisjoint(chosen["text"])
    assert "../s.jsonl" in (folder / "s" / "README.md").read_text()
    assert "What was left out" in (folder / "s" / "index.html").read_text()


def test_mix_gives_shares_that_a_config_takes(folder):
    done = plumbline(
        folder, "mix", "target.jsonl", "--from", "My-Fruit.jsonl", "metal.jsonl",
        "--tokens", "30k", "--epochs", "2", "--minimum-shares", "metal=0.1", "--metrics", "unigram_js", "--output", "m",
    )  # fmt: skip
    weights = json.loads((folder / "m" / "weights.json").read_text())
    assert set(weights) == {"My-Fruit", "metal"} and sum(weights.values()) == pytest.approx(1)
    assert weights["metal"] >= 0.1
    entry = yaml.safe_load((folder / "m" / "mixture.yaml").read_text())
    assert entry["source"] == "mixture" and set(entry["fractions"]) == {"my_fruit", "metal"}
    assert "times the effective tokens of equal shares" in done.stdout
    assert "My-Fruit" in (folder / "m" / "index.html").read_text()


def test_a_mistake_is_one_sentence_and_leaves_nothing(folder):
    done = plumbline(folder, "rank", "target.jsonl", "gone.jsonl", "--output", "nothing", check=False)
    assert done.returncode == 1
    assert done.stderr == "error: gone.jsonl: there is no such file\n"
    assert not (folder / "nothing").exists()

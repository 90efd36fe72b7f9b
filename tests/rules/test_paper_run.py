"""The config of the paper at small scale: local data sets with the columns of the Hub's, a tiny GPT-2 in its place."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from workflow_scripts.models.fresh import new_model
from workflow_scripts.storage.tables import read_frame
from workflow_scripts.tokens.tokenizer import train_tokenizer

pytestmark = pytest.mark.whole_run

COLUMNS = [
    "text",
    "generated informal statement",
    "formal statement",
    "nl_statement",
    "formal_statement",
    "nl_proof",
    "informal_stmt",
    "docstring",
    "body",
    "canonical_solution",
    "Statement:",
]
ROWS = 400
# Both settings and the GZIP experiment, with a quirk each: a mix, one sentence, a set cut at 100 characters, a list.
SETS = {
    "pretraining_published": (["pubmed", "pubmed_uspto"], ["uspto_val", "wikitext103"]),
    "finetuning_af_published": (["af", "c4_short_1"], ["af_test_first"]),
    "finetuning_af_published_whole": (["af", "c4_short_1"], ["af_test"]),
    "gzip_published": (["gzip_leandojo", "gzip_af_split"], ["gzip_proofnet_test"]),
}


def write_data_set(folder, seed):
    """Three splits of rows that have every column, in words of their own."""
    random = np.random.default_rng(seed)
    words = ["".join(random.choice(list("abcdefgh"), size=5)) for _ in range(60)]

    def text(n):
        return " ".join(random.choice(words, size=n))

    folder.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        with (folder / f"{split}.jsonl").open("w") as stream:
            for _ in range(ROWS):
                row: dict = {column: text(12) for column in COLUMNS} | {"text": text(40)}
                row["traced_tactics"] = [
                    {"state_before": text(3), "state_after": text(3), "tactic": text(2)} for _ in range(3)
                ]
                stream.write(json.dumps(row) + "\n")
    return words


def small(paper, folder):
    """An overlay that replaces what comes from the Hub and shrinks every size; all else stays as it is."""
    corpora, words = {}, []
    for name, spec in paper["corpora"].items():
        if spec["source"] == "hub":
            place = folder / spec["path"].replace("/", "-") / str(spec.get("name"))
            if not place.exists():
                words += write_data_set(place, seed=len(words))
            corpora[name] = {"path": str(place), "name": None, "revision": None}
    weights = folder / "gpt2"
    tokenizer = train_tokenizer(
        [" ".join(words), "informal statement formal State Before: After: Tactic"], 600
    )
    tokenizer.save_pretrained(weights)
    tiny = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 64}
    new_model({"type": "gpt2", "settings": tiny}, tokenizer, 64, seed=0).save_pretrained(weights)

    recipes = {name: {"context": 64, "tokens": [1024], "seeds": [0]} for name in paper["recipes"]}
    for recipe in ("pretraining_published", "pretraining_corrected"):
        recipes[recipe] |= {"model": {"settings": tiny}, "batch_rows": 8, "evaluation": {"stride": 8}}
    recipes["finetuning_published"] |= {"context": 32, "tokens": [512]}
    recipes["gzip_published"] |= {
        "tokens": [256, 1_000_000]
    }  # more than there is, as 22,000 of ProofNet's are
    experiments = {one["name"]: one for one in paper["experiments"]}
    pretrained = {"pretrained": str(weights), "revision": None}
    return {
        "run": "paper",
        "device": "cpu",
        "tokenizer": pretrained,
        "probe": {"model": pretrained},
        "rows": {"length": 32},
        "alignment": {"metrics": ["task2vec_published", "unigram_js"], "rows": 4},
        "estimators": {"published": {"head_epochs": 1, "batches": 4, "rows": 8}},
        "evaluation": {"tokens": 2000, "stride": 8},
        "switches": None,
        "recipes": recipes,
        "experiments": [
            {**experiments[name], "train_sets": train_sets, "eval_sets": eval_sets, "in_domain_for": {}}
            for name, (train_sets, eval_sets) in SETS.items()
        ],
        "statistics": {"permutations": 100, "bootstraps": 100},
        "corpora": corpora,
        "resources": {rule: {"gpu": 0, "threads": 1} for rule in paper["resources"]},
    }


def snakemake(checkout, *arguments):
    """Run Snakemake on the config of the paper and the overlay."""
    bin_folder = Path(sys.executable).parent
    overlays = ["configs/paper.yaml", "overlay.yaml"]
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", *overlays],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"},
    )


@pytest.fixture(scope="module")
def checkout(root, copied_checkout, tmp_path_factory):
    paper = yaml.safe_load((root / "configs" / "paper.yaml").read_text())
    overlay = small(paper, tmp_path_factory.mktemp("hub"))
    (copied_checkout / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    return copied_checkout


def test_a_dry_run_forecasts_the_jobs_that_it_plans(checkout):
    planned = snakemake(checkout, "report", "--dry-run", "--quiet", "rules")
    assert planned.returncode == 0, planned.stderr[-3000:]
    total = int(planned.stdout.split("Job stats:")[1].split("total")[1].split()[0])
    assert f"jobs       {total - 1} for the report" in planned.stdout  # the target is a job, too


def test_a_sentence_is_scored_and_a_batch_is_embedded_as_one_sequence(checkout):
    scored = "results/paper/losses/finetuning_published/af_test_first.parquet"
    done = snakemake(checkout, scored, "embeddings")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    folder = checkout / "results" / "paper" / "embeddings" / "pretrained" / "published"
    (embedded,) = folder.glob("sets-*/af_one_sequence.train.parquet")
    losses = read_frame(checkout / scored)
    assert set(losses["train_set"]) == {"none", "af", "c4_short_1"}
    assert losses["doc_id"].nunique() == 1
    assert losses["nll"].nunique() == losses["nll"].size  # every model has changed, and its answers differ
    assert [len(row_ids) for row_ids in read_frame(embedded)["row_ids"]] == [1] * 4

"""A dry run with hundreds of corpora stays within its time and memory."""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml

pytestmark = pytest.mark.whole_run

COUNT = 300
MOST_CPU_SECONDS = 30  # measured: 9
MOST_MEGABYTES = 600  # measured: 270


def text_file(path, number):
    row = " ".join(f"word{number} of something" for _ in range(60))
    path.write_text("".join(json.dumps({"text": f"{row} {line}"}) + "\n" for line in range(60)))
    return str(path)


@pytest.fixture
def config(tmp_path):
    """Three corpora of the probe, four fifths of the others to train on, one fifth to evaluate."""
    paths = {f"c{n}": text_file(tmp_path / f"c{n}.jsonl", n) for n in range(COUNT)}
    probe, others = list(paths)[:3], list(paths)[3:]
    trained, evaluated = others[: len(others) * 4 // 5], others[len(others) * 4 // 5 :]
    corpora = {
        name: {"source": "files", "paths": [path], "text": "text", "held_out": float(name in evaluated)}
        for name, path in paths.items()
    }
    experiment = {
        "name": "pretraining",
        "kind": "pretraining",
        "recipe": "from_scratch",
        "train_sets": trained,
        "eval_sets": evaluated,
        "in_domain_for": {},
    }
    path = tmp_path / "many.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "run": "many",
                "corpora": corpora,
                "tokenizer": {"corpora": probe},
                "probe": {"corpora": probe},
                "alignment": {"batches": 4, "rows": 2, "metrics": ["unigram_js", "ngram_cross_entropy"]},
                "switches": None,
                "recipes": {"from_scratch": {"tokens": [2048, 4096]}},
                "experiments": [experiment],
            }
        )
    )
    return path


# A process of its own: the peak of a child is at least the memory of the process that started it.
MEASURE = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


def test_a_dry_run_of_hundreds_of_corpora_is_a_matter_of_seconds(checkout, config):
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--dry-run",
        "--quiet",
        "rules",
        "--configfile",
        str(config),
    ]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command],
        cwd=checkout.folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": os.defpath},
        check=True,
    )
    code, seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stdout[-2000:] + done.stderr[-2000:]
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout.split("Job stats:")[1], flags=re.MULTILINE))
    assert int(jobs["build_corpus"]) == COUNT
    assert seconds < MOST_CPU_SECONDS
    assert megabytes < MOST_MEGABYTES


def test_a_config_longer_than_an_argument_may_be_is_recorded(checkout, tmp_path):
    """Linux refuses arguments of 128 KiB and more; the config of a thousand corpora may have more."""
    text = tmp_path / "words.txt"
    text.write_text("some words\n")
    licence = "x" * 2**17
    corpus = {"source": "files", "paths": [str(text)], "held_out": 0, "licence": licence}
    page = "results/quick/report/provenance.json"
    done = checkout.snakemake(page, config={"corpora": {"words": corpus}, "only_existing": True})
    assert done.returncode == 0, done.stderr[-2000:]
    recorded = json.loads((checkout.folder / page).read_text())["config"]["corpora"]["words"]
    assert recorded["licence"] == licence

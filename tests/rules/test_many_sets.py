"""With more sets than a figure shows, the workflow compares only needed pairs, in blocks; a set adds only its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks.many_pairs import RUN, config_of, make_rows, planned
from workflow_scripts.metrics.pairs import MOST_SETS, needed_pairs
from workflow_scripts.report.figures.alignment_matrix import alignment_matrix
from workflow_scripts.storage.tables import read_frame

pytestmark = pytest.mark.whole_run

FLOOR = "random_tokens.train"
EVALUATION = ["eval_0", "eval_1"]


def write_text(folder: Path, name: str, number: int) -> None:
    row = " ".join(f"word{number} of something" for _ in range(60))
    lines = (json.dumps({"text": f"{row} {line}"}) for line in range(30))
    (folder / f"{name}.jsonl").write_text("\n".join(lines))


@pytest.fixture
def compared(root, tmp_path, monkeypatch):
    """Run the comparison of some training sets; returns its table, and pairs computed and reused by this run."""
    monkeypatch.chdir(tmp_path)
    names = [f"train_{number}" for number in range(MOST_SETS)]
    for number, name in enumerate(["of_tokenizer", *names, *EVALUATION]):
        write_text(tmp_path, name, number)

    def run(training):
        config = config_of(tmp_path, training, EVALUATION, ["unigram_js"])
        config["alignment"] |= {"batches": 4, "rows": 2}
        config["recipes"] = {"from_scratch": {"tokens": [2048]}}
        # Building the corpora job by job would take minutes.
        make_rows(planned(tmp_path, config), processes=1)
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        table = tmp_path / "results" / RUN / "alignment" / "unigram_js.parquet"
        snakemake = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(root / "Snakefile"),
            "--cores",
            "2",
        ]
        done = subprocess.run(
            [*snakemake, str(table.relative_to(tmp_path)), "--configfile", "config.yaml"],
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": os.defpath},
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        logs = sorted(Path("results", RUN, "logs", "compare_sets").rglob("*.log"))
        counts = [re.findall(r"pairs: computed (\d+), reused (\d+)", log.read_text()) for log in logs]
        jobs = dict(re.findall(r"^(\w+) +(\d+)$", (done.stdout + done.stderr), flags=re.MULTILINE))
        assert len(logs) == 2 and (jobs["compare_sets"], jobs["join_blocks"]) == ("2", "1")
        return read_frame(table), sum(int(n) for ((n, _),) in counts), sum(int(n) for ((_, n),) in counts)

    return run, names


def test_hundreds_of_sets_in_little(compared):
    run, names = compared
    few = [name for name in names if name != "train_30"]
    table, computed, reused = run(few)
    sets = [*(f"{name}.train" for name in few), *(f"{name}.eval" for name in EVALUATION), FLOOR]
    pairs = set(needed_pairs(sets, sets, FLOOR))
    assert set(zip(table["source"], table["target"], strict=True)) == pairs
    assert (computed, reused) == (len(pairs), 0)
    assert table["floor"].notna().all() and table["ceiling"].notna().all()
    store = [path for path in Path("results", RUN, "store", "metrics").rglob("*") if path.is_file()]
    assert len(store) == len(sets)
    (figure,) = alignment_matrix({"alignment": table})
    assert set(figure.data["target"]) == {f"{name}.eval" for name in EVALUATION}

    _, computed, reused = run(names)
    assert (computed, reused) == (len(EVALUATION) + 2, len(pairs))

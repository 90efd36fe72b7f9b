"""Which of some files to train on, for a target file.

  plumbline rank target.jsonl a.jsonl b.jsonl c.parquet

Writes ranking.parquet, index.html and the config of the run to --output. Files are txt, jsonl, csv or parquet; jsonl
and csv also as .gz. Nothing is trained and no GPU is needed. docs/OWN_DATA.md explains every output.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.commands.config import METRICS, question_config, verifying_config
from workflow_scripts.commands.options import Shared, add_common_options
from workflow_scripts.commands.run import answers_of, prepared_folder, run_workflow, take
from workflow_scripts.commands.text_files import look_at, usable
from workflow_scripts.errors import UserError

VERIFIED = 3
ANSWERS = ("ranking.parquet", "index.html")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="file of text that the model is for")
    parser.add_argument("candidates", nargs="+", help="files to choose from")
    add_common_options(parser, "plumbline_rank")
    parser.add_argument(
        "--metrics", nargs="+", default=list(METRICS), help="measures of alignment; the first decides"
    )
    parser.add_argument(
        "--verify",
        nargs="?",
        type=int,
        const=VERIFIED,
        default=0,
        metavar="N",
        help=f"train small models on the best N candidates to correct the ranking (default: {VERIFIED}); minutes each",
    )


def main(given: argparse.Namespace, for_snakemake: list[str]) -> None:
    from workflow_scripts.commands.tables import ranking_lines
    from workflow_scripts.storage.tables import read_frame, read_json

    rank_files(
        given.target,
        given.candidates,
        Shared.given(given, for_snakemake),
        metrics=given.metrics,
        verify=given.verify,
    )
    answers = answers_of(given.output, "rank")
    for line in ranking_lines(read_frame(answers / "ranking.parquet"), read_json(answers / "answer.json")):
        print(line)
    print(f"\nPage: {given.output / 'index.html'}; all numbers: {given.output / 'ranking.parquet'}")


def rank_files(
    target: str, candidates: Sequence[str], shared: Shared, *, metrics: Sequence[str], verify: int
) -> None:
    """Make the ranking; `verify` is the number of best candidates to train on, 0 for none."""
    if verify == 1 or verify < 0:
        raise UserError(f"--verify {verify}: a comparison needs at least two candidates; give 2 or more")
    looked_at, *others = look_at([target, *candidates], shared.text)
    chosen_from = usable([looked_at], others)
    prepared_folder(shared.output)
    question = {
        "name": "rank",
        "kind": "rank",
        "target": looked_at.name,
        "candidates": [one.name for one in chosen_from],
    }
    config = question_config(question, [looked_at], chosen_from, metrics, shared)
    run_workflow("rank", config, shared)
    if verify:
        names = {one.label: one.name for one in chosen_from}
        run_workflow("rank", verified(config, shared.output, names, verify), shared)
    take(shared.output, "rank", {name: shared.output / name for name in ANSWERS})


def verified(config: dict[str, Any], output: Path, names: Mapping[str, str], count: int) -> dict[str, Any]:
    """The config with short runs on the best candidates of the existing ranking; `names`: label -> name."""
    from workflow_scripts.storage.tables import read_frame, read_json

    answers = answers_of(output, "rank")
    best = [names[label] for label in read_frame(answers / "ranking.parquet")["candidate"].head(count)]
    sizes = read_json(answers.parent / "sizes.json")
    samples = [sizes[f"{name}.train"] for name in best]
    fewest = min(one["sampled_bytes"] / one["bytes_per_token"] for one in samples)
    return verifying_config(config, best, int(fewest))

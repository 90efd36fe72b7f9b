"""In which shares to mix some files, for one or several target files.

  plumbline mix target.jsonl other_target.jsonl --from a.jsonl b.jsonl --tokens 100M --epochs 4

Writes the shares (mix.parquet, weights.json), their gains over simpler choices (gains.parquet), a page, and
mixture.yaml, a corpus entry for a Plumbline config. docs/OWN_DATA.md explains every output.
"""

import argparse
from collections.abc import Mapping, Sequence

from workflow_scripts.command_line import named_numbers
from workflow_scripts.commands.config import METRICS, question_config
from workflow_scripts.commands.options import Shared, add_common_options, number
from workflow_scripts.commands.run import answers_of, prepared_folder, run_workflow, take
from workflow_scripts.commands.text_files import TextFile, look_at, usable
from workflow_scripts.errors import UserError

ANSWERS = ("mix.parquet", "gains.parquet", "weights.json", "mixture.yaml", "index.html")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="+", help="files of text that the model is for")
    parser.add_argument("--from", dest="candidates", nargs="+", required=True, help="files to mix")
    parser.add_argument(
        "--tokens", required=True, type=number, help="budget of training tokens, such as 100M"
    )
    parser.add_argument(
        "--epochs", type=float, default=4, help="most times that a token is read (default: 4)"
    )
    parser.add_argument(
        "--weights", nargs="+", default=[], metavar="TARGET=WEIGHT", help="weight of a target (default: 1)"
    )
    parser.add_argument(
        "--minimum-shares",
        nargs="+",
        default=[],
        metavar="CANDIDATE=SHARE",
        help="minimum share of a candidate",
    )
    add_common_options(parser, "plumbline_mix")
    parser.add_argument(
        "--metrics", nargs="+", default=list(METRICS), help="measures of alignment; the first decides"
    )


def main(given: argparse.Namespace, for_snakemake: list[str]) -> None:
    from workflow_scripts.commands.tables import mix_lines
    from workflow_scripts.storage.tables import read_frame

    mix_files(
        given.targets,
        given.candidates,
        Shared.given(given, for_snakemake),
        tokens=given.tokens,
        epochs=given.epochs,
        weights=named_numbers("weights", given.weights),
        minimum_shares=named_numbers("minimum-shares", given.minimum_shares),
        metrics=given.metrics,
    )
    answers = answers_of(given.output, "mix")
    for line in mix_lines(read_frame(answers / "mix.parquet"), read_frame(answers / "gains.parquet")):
        print(line)
    print(f"\nPage: {given.output / 'index.html'}; all numbers: {given.output / 'mix.parquet'}")


def mix_files(
    targets: Sequence[str],
    candidates: Sequence[str],
    shared: Shared,
    *,
    tokens: int,
    epochs: float,
    weights: Mapping[str, float],
    minimum_shares: Mapping[str, float],
    metrics: Sequence[str],
) -> None:
    """Make the shares."""
    looked_at = look_at([*targets, *candidates], shared.text)
    of_targets = looked_at[: len(targets)]
    mixed = usable(of_targets, looked_at[len(targets) :])
    if len(mixed) < 2:
        raise UserError("there is nothing to mix; name at least two candidates that can be measured")
    prepared_folder(shared.output)
    question = {
        "name": "mix",
        "kind": "mix",
        "targets": [one.name for one in of_targets],
        "candidates": [one.name for one in mixed],
        "tokens": tokens,
        "epochs": epochs,
        "weights": _by_config_name("--weights", weights, of_targets),
        "minimum_shares": _by_config_name("--minimum-shares", minimum_shares, mixed),
    }
    config = question_config(question, of_targets, mixed, metrics, shared)
    run_workflow("mix", config, shared)
    take(shared.output, "mix", {name: shared.output / name for name in ANSWERS})


def _by_config_name(option: str, numbers: Mapping[str, float], files: Sequence[TextFile]) -> dict[str, float]:
    """Numbers by the name in the config; users give a file or its label."""
    found = {}
    for name, value in numbers.items():
        matching = [one for one in files if name in (one.label, one.path.name, str(one.path))]
        if not matching:
            known = ", ".join(one.label for one in files)
            raise UserError(f"{option} {name}={value:g}: unknown name {name}; known are {known}")
        found[matching[0].name] = value
    return found

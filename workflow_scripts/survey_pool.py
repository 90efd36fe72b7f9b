"""Survey one training candidate: its content, the target rows that it repeats, and its nearest rows to the target.

The candidate's files are read once and may be far larger than memory. docs/method/selecting.md defines each number.
"""

import argparse
import json
from collections.abc import Sequence

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.storage.tables import write_json


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--name", required=True, help="name of the candidate")
    parser.add_argument("--spec", required=True, help="its corpus entry as JSON; its source is files")
    parser.add_argument("--target", required=True, help="documents table of the target")
    parser.add_argument("--split", required=True, help="side of the target's table to use")
    parser.add_argument(
        "--seed", type=int, required=True, help="seed of the sample that estimates the pool's words"
    )
    parser.add_argument("--output", required=True, help="output: the survey, JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.pool.rows import PoolEntry
    from workflow_scripts.pool.survey import survey
    from workflow_scripts.pool.target import read_target

    target = read_target(arguments.target, arguments.split)
    entry = PoolEntry.opened(arguments.name, json.loads(arguments.spec))
    write_json(survey(entry, target, arguments.seed), arguments.output)


if __name__ == "__main__":
    run(main)

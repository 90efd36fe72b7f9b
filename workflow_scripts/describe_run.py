"""Collect the provenance of a run, which a reader needs to repeat it: config, versions, commit, corpora, probes.

Standard input is the config with its defaults, as JSON: that of hundreds of corpora is longer than an argument may be.
"""

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.storage.revision import commit
from workflow_scripts.storage.tables import read_json, write_json


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument(
        "--corpora", nargs="*", default=[], type=Path, help="manifest.json of each corpus (its folder)"
    )
    parser.add_argument(
        "--probes", nargs="*", default=[], type=Path, help="manifest.json of each probe (its folder)"
    )
    parser.add_argument("--output", required=True, help="JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    write_json(
        {
            "commit": commit(),
            "python": platform.python_version(),
            "packages": {found.metadata["Name"]: found.version for found in distributions()},
            "config": json.load(sys.stdin),
            "corpora": {path.parent.name: read_json(path) for path in arguments.corpora},
            "probes": {path.parent.name: read_json(path) for path in arguments.probes},
        },
        arguments.output,
    )


if __name__ == "__main__":
    run(main)

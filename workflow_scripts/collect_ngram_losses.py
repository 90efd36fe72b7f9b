"""Put the losses of n-gram models into one table, with a row for each cell of the experiments' tables of losses."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import named_paths, parser_for, run


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--experiments", required=True, type=json.loads, help="list of experiments, as JSON")
    parser.add_argument(
        "--losses",
        action="append",
        required=True,
        metavar="RECIPE/TRAIN_SET=FILE",
        help="losses of one recipe's n-gram models of one training set (Parquet); repeated",
    )
    parser.add_argument("--summary", required=True, type=Path, help="losses of all experiments (Parquet)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    given = build_parser().parse_args(argv)
    import pandas as pd

    from workflow_scripts.storage.tables import read_frame, write_table
    from workflow_scripts.training.losses import ngram_losses_of_experiments

    read = [
        read_frame(path).assign(recipe=name.partition("/")[0])
        for name, path in named_paths("losses", given.losses).items()
    ]
    trained = [experiment for experiment in given.experiments if experiment["kind"] != "recorded"]
    write_table(ngram_losses_of_experiments(trained, pd.concat(read, ignore_index=True)), given.summary)


if __name__ == "__main__":
    run(main)

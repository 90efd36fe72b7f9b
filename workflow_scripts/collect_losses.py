"""Put the losses of all experiments into one table, and summarise them over documents.

Models that an experiment expects but no file contains are listed as missing. Losses that were measured elsewhere are
means: they are only in the summary, without documents and standard errors.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.errors import UserError

logger = logging.getLogger(__name__)


def name_and_file(text: str) -> tuple[str, Path]:
    name, separator, path = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=FILE")
    return name, Path(path)


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--experiments", required=True, type=json.loads, help="list of experiments, as JSON")
    parser.add_argument(
        "--losses",
        type=name_and_file,
        nargs="+",
        action="extend",
        default=[],
        metavar="RECIPE=FILE",
        help="losses of one recipe on one evaluation set (Parquet)",
    )
    parser.add_argument(
        "--recorded",
        type=name_and_file,
        nargs="+",
        action="extend",
        default=[],
        metavar="EXPERIMENT=FILE",
        help="losses of one experiment that were measured elsewhere (Parquet)",
    )
    parser.add_argument(
        "--losses-output", required=True, type=Path, help="losses of all experiments (Parquet)"
    )
    parser.add_argument("--summary", required=True, type=Path, help="means and standard errors (Parquet)")
    parser.add_argument("--missing", required=True, type=Path, help="models without a usable loss (JSON)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    given = build_parser().parse_args(argv)
    import pandas as pd

    from workflow_scripts.storage.tables import read_frame, write_json, write_table
    from workflow_scripts.training.losses import (
        find_missing,
        find_not_finite,
        losses_of_experiments,
        no_losses,
        summarise,
        summary_of_recorded,
    )

    if not given.losses and not given.recorded:
        raise UserError("no model has been evaluated: there are no losses to collect (--losses)")
    trained = [experiment for experiment in given.experiments if experiment["kind"] != "recorded"]
    read = pd.concat(
        [no_losses(), *(read_frame(path).assign(recipe=recipe) for recipe, path in given.losses)],
        ignore_index=True,
    )
    losses = losses_of_experiments(trained, read)
    summary = pd.concat(
        [
            summarise(losses),
            *(summary_of_recorded(name, read_frame(path)) for name, path in given.recorded),
        ],
        ignore_index=True,
    )
    missing = find_missing(trained, read)
    not_finite = find_not_finite(summary)
    logger.info(
        "%d losses of %d models; %d missing, %d not finite",
        len(losses),
        len(summary),
        len(missing),
        len(not_finite),
    )
    write_table(losses, given.losses_output)
    write_table(summary, given.summary)
    write_json({"missing": missing, "not_finite": not_finite}, given.missing)


if __name__ == "__main__":
    run(main)

"""Put the losses of all experiments into one table, and summarise them over documents.

Models that an experiment expects and no file has are listed, not refused.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import UserError, parser_for, run

logger = logging.getLogger(__name__)


def recipe_and_file(text: str) -> tuple[str, Path]:
    recipe, separator, path = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form RECIPE=FILE")
    return recipe, Path(path)


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--experiments", required=True, type=json.loads, help="list of experiments, as JSON")
    parser.add_argument(
        "--losses",
        type=recipe_and_file,
        nargs="+",
        action="extend",
        default=[],
        metavar="RECIPE=FILE",
        help="losses of one recipe on one evaluation set (Parquet)",
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
        summarise,
    )

    if not given.losses:
        raise UserError("no model has been evaluated: there are no losses to collect (--losses)")
    read = pd.concat(
        [read_frame(path).assign(recipe=recipe) for recipe, path in given.losses], ignore_index=True
    )
    losses = losses_of_experiments(given.experiments, read)
    summary = summarise(losses)
    missing = find_missing(given.experiments, read)
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

"""Read the losses and the mixtures of one experiment whose models were trained elsewhere.

Both tables are CSV or Parquet. Losses have the columns train_set, eval_set and loss (nats), and may have model, tokens
and seed. Mixtures have train_set, corpus and share. The output has the losses on the given evaluation sets, and the
shares of these training sets, scaled to sum to 1.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--losses", required=True, type=Path, help="table of losses")
    parser.add_argument("--mixtures", required=True, type=Path, help="table of mixtures")
    parser.add_argument("--model", help="use the rows of this model, if the losses have several")
    parser.add_argument("--parts", required=True, nargs="+", help="corpora that the mixtures are made of")
    parser.add_argument(
        "--eval-sets", required=True, nargs="+", help="corpora on which the losses were measured"
    )
    parser.add_argument("--output", required=True, type=Path, help="Parquet: the losses")
    parser.add_argument("--shares-output", required=True, type=Path, help="Parquet: the mixtures")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.outside.tables import read
    from workflow_scripts.storage.tables import write_table

    recorded = read(
        arguments.losses, arguments.mixtures, arguments.parts, arguments.eval_sets, arguments.model
    )
    logger.info("%d losses of %d models", len(recorded.losses), recorded.losses["train_set"].nunique())
    write_table(recorded.losses, arguments.output)
    write_table(recorded.shares, arguments.shares_output)


if __name__ == "__main__":
    run(main)

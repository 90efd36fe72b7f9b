"""Predict losses from alignment with training sets, families and evaluation sets left out of the fit in turn.

For every experiment, part and budget, each measure alone and with each measure of `--beside`: R2 relative to a
prediction without a measure, the mean error in nats, and the slopes with their signs. `--experiments` is the same JSON
list as for correlate_losses.
"""

import argparse
from collections.abc import Sequence

from workflow_scripts.command_line import parser_for, run, set_threads


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--alignment", required=True, help="Parquet file of alignments")
    parser.add_argument("--losses", required=True, help="Parquet file of losses, one row per seed")
    parser.add_argument("--experiments", required=True, help="JSON list of experiments")
    parser.add_argument(
        "--beside",
        action="append",
        default=[],
        metavar="METRIC",
        help="also predict from every other metric together with this one; may be repeated",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of the numerical libraries")
    parser.add_argument("--output", required=True, help="Parquet file")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.statistics.experiments import experiments_from_json, panels
    from workflow_scripts.statistics.predictions import prediction_table, predictions
    from workflow_scripts.statistics.short_run import short_runs
    from workflow_scripts.storage.tables import read_frame, write_table

    trained = [one for one in experiments_from_json(arguments.experiments) if one.kind != "recorded"]
    found = list(panels(read_frame(arguments.alignment), read_frame(arguments.losses), trained))
    rows = [
        row
        for panel in found
        for row in predictions(
            panel, {run.name: run.alignment for run in short_runs(panel, found)}, arguments.beside
        )
    ]
    write_table(prediction_table(rows), arguments.output)


if __name__ == "__main__":
    run(main)

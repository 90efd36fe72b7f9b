"""Correlate alignment with loss, and choose training data, at every number of rows that a measure reads.

--alignment and --cost are the outputs of align_by_rows, a pair of files per metric. The output has one row per
experiment, part, budget, metric, number of rows, scope and statistic; seconds differ from run to run, so they have a
separate file (--cost-output).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run, set_threads


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--alignment", required=True, nargs="+", type=Path, help="Parquet, one per metric")
    parser.add_argument("--cost", required=True, nargs="+", type=Path, help="Parquet, one per metric")
    parser.add_argument("--losses", required=True, type=Path, help="Parquet: losses, one row per seed")
    parser.add_argument("--experiments", required=True, help="JSON list of experiments")
    parser.add_argument("--threads", type=int, default=1, help="threads of the numerical libraries")
    parser.add_argument("--output", required=True, type=Path, help="Parquet")
    parser.add_argument("--cost-output", required=True, type=Path, help="Parquet: seconds")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    import pandas as pd

    from workflow_scripts.statistics.experiments import experiments_from_json
    from workflow_scripts.statistics.rows_curve import rows_curve
    from workflow_scripts.storage.tables import read_frame, write_table

    alignment, cost = (
        pd.concat(map(read_frame, paths), ignore_index=True)
        for paths in (arguments.alignment, arguments.cost)
    )
    curve, seconds = rows_curve(
        alignment, cost, read_frame(arguments.losses), experiments_from_json(arguments.experiments)
    )
    write_table(curve, arguments.output)
    write_table(seconds, arguments.cost_output)


if __name__ == "__main__":
    run(main)

"""Correlate alignment with loss in our own runs: every experiment, budget, metric and scope.

`--experiments` is a JSON list of objects with name, kind, train_sets, eval_sets, tokens, fractions, target,
in_domain_for and families (training sets that share text or origin; each other set is its own family).
Tables: correlations with their tests and intervals (`--output`); one row per pair of sets, for scatter plots
(`--points`); optionally, paired differences between metrics (`--differences`) and correlations with one family or
evaluation set left out (`--leave-one-out`). The column `note` explains null values.
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--alignment", required=True, help="Parquet file of alignments")
    parser.add_argument(
        "--mixtures", nargs="*", default=[], help="Parquet files of alignments of mixtures, one per metric"
    )
    parser.add_argument("--losses", required=True, help="Parquet file of losses, one row per seed")
    parser.add_argument("--experiments", required=True, help="JSON list of experiments")
    parser.add_argument("--covariates", help="Parquet file of covariates by source and target")
    parser.add_argument(
        "--given",
        action="append",
        default=[],
        metavar="METRIC",
        help="also correlate every other metric controlling for this one; may be repeated",
    )
    parser.add_argument(
        "--permutations", type=int, required=True, help="random arrangements beyond 7 families"
    )
    parser.add_argument("--bootstraps", type=int, required=True, help="resamples for the bootstrap interval")
    parser.add_argument("--seed", type=int, required=True, help="seed of arrangements and resamples")
    parser.add_argument("--threads", type=int, default=1, help="threads of the numerical libraries")
    parser.add_argument("--output", required=True, help="Parquet file of correlations")
    parser.add_argument("--points", required=True, help="Parquet file of pairs of sets")
    parser.add_argument("--differences", help="Parquet file of paired differences between metrics")
    parser.add_argument("--leave-one-out", help="Parquet file of correlations with one set left out")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.statistics.covariates import COVARIATES
    from workflow_scripts.statistics.differences import difference_table, metric_differences
    from workflow_scripts.statistics.experiments import experiments_from_json, panels, points, with_mixtures
    from workflow_scripts.statistics.run_correlations import (
        Settings,
        analyse_panel,
        correlation_table,
        left_out_table,
        scopes,
    )
    from workflow_scripts.storage.tables import read_frame, write_table

    settings = Settings(arguments.permutations, arguments.bootstraps, arguments.seed, tuple(arguments.given))
    experiments = experiments_from_json(arguments.experiments)
    alignment, losses = (
        with_mixtures(read_frame(arguments.alignment), [read_frame(path) for path in arguments.mixtures]),
        read_frame(arguments.losses),
    )
    covariates = _covariates(arguments.covariates)
    found = list(panels(alignment, losses, experiments))
    analyses = [
        analyse_panel(
            panel,
            {name: panel.pair_grid(covariates, name) for name in COVARIATES if name in covariates},
            settings,
        )
        for panel in found
    ]
    write_table(correlation_table(analyses), arguments.output)
    write_table(points(alignment, losses, experiments), arguments.points)
    if arguments.leave_one_out:
        write_table(left_out_table(analyses), arguments.leave_one_out)
    if arguments.differences:
        rows = [row for panel in found for row in metric_differences(panel, scopes(panel))]
        write_table(difference_table(rows), arguments.differences)


def _covariates(path: str | None) -> "pd.DataFrame":
    import pandas as pd

    from workflow_scripts.storage.tables import read_frame

    if path is None:
        return pd.DataFrame(columns=["source", "target"], dtype="str")
    table = read_frame(path)
    if not {"source", "target"} <= set(table.columns):
        raise UserError(f"--covariates: {path} lacks the columns source and target")
    return table


if __name__ == "__main__":
    run(main)

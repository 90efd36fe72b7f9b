"""Measure k: how many times more tokens a training set needs than the target's own, for the same loss.

One row per training set, evaluation set with its own training set (in a grid: the pure target), and level. Levels are
the losses of the own set at each budget except the largest. `reached` says how to read k. `within`: a value within the
budgets. `never`: a lower bound, because the largest budget does not reach the level. `before`: an upper bound, because
the smallest budget is already past it. `low_reached` and `high_reached` do the same for k_low and k_high. `trend` is
the factor by which k grows with each doubling of the level.
"""

import argparse
from collections.abc import Sequence

from workflow_scripts.command_line import parser_for, run, set_threads


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--losses", required=True, help="Parquet file of losses, one row per seed")
    parser.add_argument("--experiments", required=True, help="JSON list of experiments")
    parser.add_argument("--threads", type=int, default=1, help="threads of the numerical libraries")
    parser.add_argument("--output", required=True, help="Parquet file of exchange rates")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.statistics.exchange_rate import exchange_rates, rate_table
    from workflow_scripts.statistics.experiments import experiments_from_json
    from workflow_scripts.storage.tables import read_frame, write_table

    losses = read_frame(arguments.losses)
    experiments = experiments_from_json(arguments.experiments)
    rows = [row for experiment in experiments for row in exchange_rates(experiment, losses)]
    write_table(rate_table(rows), arguments.output)


if __name__ == "__main__":
    run(main)

"""Measure k(x), the tokens that training at target fraction x needs to match the pure target, over the target's.

One row per training set of an experiment that names a target and fractions. `reached` says what k is:
`within` the budgets a value; `never` a lower bound, since the largest budget does not get there; `before`
an upper bound, since the smallest budget is already past it. `high_reached` says whether k_high is a value
or such a lower bound.
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

"""Choose training data by each metric, and measure the regret and cost of the choice.

For every experiment, budget and evaluation set, it compares the training set of highest alignment with the one of
lowest loss: top1, regret in nats and as a fraction of the range, Kendall's tau. Rows without an eval_set have the
means with intervals. The table also has the seconds of the metric on the sets that it compares, and those of training
one model on every candidate. `random_choice` is the mean of a blind draw. `short_run` and `short_run_one_seed` choose
by the losses at the lower budget nearest to a quarter (`run_tokens`), if the experiment has one: by their mean over
seeds, and by those of the first seed.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.errors import UserError

if TYPE_CHECKING:
    from workflow_scripts.statistics.experiments import Panel


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--alignment", required=True, help="Parquet file of alignments")
    parser.add_argument(
        "--mixtures", nargs="*", default=[], help="Parquet files of alignments of mixtures, one a metric"
    )
    parser.add_argument("--losses", required=True, help="Parquet file of losses, one row per seed")
    parser.add_argument("--experiments", required=True, help="JSON list of experiments")
    parser.add_argument("--alignment-cost", help="Parquet file with metric, set and seconds")
    parser.add_argument(
        "--times",
        action="append",
        default=[],
        metavar="[RECIPE/]TRAIN_SET=FILE",
        help="JSON list of training runs (seed, tokens, seconds); may be repeated",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of the numerical libraries")
    parser.add_argument("--output", required=True, help="Parquet file of choices")
    parser.add_argument(
        "--cost-output", required=True, help="Parquet file of the cost of each choice, in seconds"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.statistics.choice import CHOICE_KEYS, SECONDS, Costs, choice_table, choices
    from workflow_scripts.statistics.experiments import experiments_from_json, panels, with_mixtures
    from workflow_scripts.statistics.short_run import short_runs
    from workflow_scripts.storage.tables import read_frame, write_table

    experiments = experiments_from_json(arguments.experiments)
    costs = Costs(_metric_costs(arguments.alignment_cost), TrainingTimes(arguments.times).seconds)
    found = list(
        panels(
            with_mixtures(read_frame(arguments.alignment), [read_frame(path) for path in arguments.mixtures]),
            read_frame(arguments.losses),
            experiments,
        )
    )
    table = choice_table([row for panel in found for row in choices(panel, costs, short_runs(panel, found))])
    # Seconds differ from run to run, and the choices must not.
    write_table(table.drop(columns=SECONDS), arguments.output)
    write_table(table[[*CHOICE_KEYS, *SECONDS]], arguments.cost_output)


class TrainingTimes:
    """Seconds of training runs, by recipe and training set."""

    def __init__(self, options: Sequence[str]):
        from workflow_scripts.storage.tables import read_json

        self.runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for option in options:
            name, separator, file = option.partition("=")
            if not separator or not Path(file).is_file():
                raise UserError(f"--times: {option!r} must be TRAIN_SET=FILE with an existing file")
            self.runs[name] += read_json(file)

    def seconds(self, panel: "Panel", train_set: str) -> float:
        """Mean over seeds of training up to the panel's budget: as a share of the shortest run that reaches it."""
        named = self.runs.get(f"{panel.experiment.recipe}/{train_set}") or self.runs.get(train_set, [])
        long_enough = [entry for entry in named if entry["tokens"] >= panel.tokens]
        shortest = min((entry["tokens"] for entry in long_enough), default=0)
        shares = [
            entry["seconds"] * panel.tokens / shortest for entry in long_enough if entry["tokens"] == shortest
        ]
        return sum(shares) / len(shares) if shares else float("nan")


def _metric_costs(path: str | None) -> dict[tuple[str, str, str], float]:
    from workflow_scripts.storage.tables import read_frame
    from workflow_scripts.tokens.parts import with_part

    if path is None:
        return {}
    table = with_part(read_frame(path))
    return {(row.metric, row.part, row.set): row.seconds for row in table.itertuples()}


if __name__ == "__main__":
    run(main)

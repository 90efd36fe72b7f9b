"""Rank candidates as training data for a target, by effective tokens.

Writes a table with a row per candidate, best first, and the answer as JSON: its sentence, what would settle an
undecided ranking, and warnings. The first of --metrics decides. For the others, the table has their alignments and
ranks.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from workflow_scripts.command_line import named_paths, parser_for, run


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--target", required=True, help="corpus whose eval side is the target")
    parser.add_argument("--candidates", required=True, nargs="+", help="corpora to choose from")
    parser.add_argument(
        "--alignment", required=True, type=Path, help="alignments of all sets, by all metrics"
    )
    parser.add_argument("--metrics", required=True, nargs="+", help="the first one decides")
    parser.add_argument("--sizes", required=True, type=Path, help="output of measure_sizes")
    parser.add_argument(
        "--survey", action="append", default=[], metavar="NAME=FILE", help="output of survey_pool; repeated"
    )
    parser.add_argument("--losses", type=Path, help="summary of losses of short runs, if there are any")
    parser.add_argument("--experiment", help="the experiment of these runs")
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="name of a corpus in the answer; repeated",
    )
    parser.add_argument("--draws", required=True, type=int, help="number of random draws for the intervals")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--output", required=True, type=Path, help="Parquet: the ranking")
    parser.add_argument("--answer", required=True, type=Path, help="JSON: the answer in words")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.choosing.answer import ranking_answer
    from workflow_scripts.choosing.measured import Measured
    from workflow_scripts.choosing.verification import read_short_runs
    from workflow_scripts.storage.tables import read_frame, read_json, write_json, write_table
    from workflow_scripts.tokens.parts import of_whole

    measured = Measured(
        arguments.target,
        tuple(arguments.candidates),
        tuple(arguments.metrics),
        of_whole(read_frame(arguments.alignment)),
        read_json(arguments.sizes),
        {name: read_json(path) for name, path in named_paths("survey", arguments.survey).items()},
    )
    labels = dict(label.split("=", 1) for label in arguments.label)
    runs = None
    if arguments.losses:
        runs = read_short_runs(read_frame(arguments.losses), arguments.experiment, arguments.target)
        runs = replace(runs, candidates=tuple(labels.get(name, name) for name in runs.candidates))
    table, answer = ranking_answer(measured.called(labels), arguments.draws, arguments.seed, runs)
    write_table(table, arguments.output)
    write_json(answer, arguments.answer)


if __name__ == "__main__":
    run(main)

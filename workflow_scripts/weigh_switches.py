"""Measure the effect of each switch on alignment, on the ranking of training sets, and on the correlation with loss.

The output has one row per end, per flip, and one for all switches together: variant, end, switch; alignment_mean with
its interval; change_of_alignment and the changes of r (the effect of correcting the switch, whichever end it is flipped
from) with intervals over batches; kendall_tau of the ranking of training sets compared with that of the end, mean over
evaluation sets, with its interval; tau_of_halves, how well the rankings by two halves of the batches agree;
top_choice_changed, the evaluation sets whose most aligned training set changes.
"""

import argparse
from collections.abc import Sequence

from workflow_scripts.command_line import parser_for, run, set_threads


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--alignments", required=True, help="alignment of batch pairs by variant (Parquet)")
    parser.add_argument("--losses", required=True, help="losses, one row per seed (Parquet)")
    parser.add_argument("--experiment", required=True, help="name of the experiment whose losses are used")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="Parquet")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.statistics.switches import switch_table
    from workflow_scripts.storage.tables import read_frame, write_table

    found = switch_table(read_frame(arguments.alignments), read_frame(arguments.losses), arguments.experiment)
    write_table(found, arguments.output)


if __name__ == "__main__":
    run(main)

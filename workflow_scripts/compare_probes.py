"""Correlate alignment with loss, and choose training data, with every probe: how much do results depend on the probe?

`--alignment` and `--mixtures` have the alignments by the first probe, which are reported as the measures' values.
`--of-probe NAME=PATH` and `--mixtures-of-probe NAME=PATH` have those by the others, a table for each probe and metric.
Only metrics that were measured with other probes are compared. The output has one row per experiment, part, budget,
metric, probe, scope and statistic; the scope of a choice is its candidates.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import grouped_paths, parser_for, run, set_threads
from workflow_scripts.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument(
        "--alignment", required=True, type=Path, help="Parquet: alignments by the first probe"
    )
    parser.add_argument(
        "--mixtures",
        nargs="*",
        default=[],
        type=Path,
        help="Parquet: its alignments of mixtures, one per metric",
    )
    parser.add_argument("--first", required=True, help="name of the first probe")
    parser.add_argument(
        "--of-probe",
        required=True,
        action="append",
        metavar="NAME=PATH",
        help="Parquet: alignments by another probe",
    )
    parser.add_argument(
        "--mixtures-of-probe", action="append", default=[], metavar="NAME=PATH", help="Parquet: its mixtures"
    )
    parser.add_argument("--losses", required=True, type=Path, help="Parquet: losses, one row per seed")
    parser.add_argument("--experiments", required=True, help="JSON list of experiments")
    parser.add_argument("--threads", type=int, default=1, help="threads of the numerical libraries")
    parser.add_argument("--output", required=True, type=Path, help="Parquet")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    import pandas as pd

    from workflow_scripts.statistics.experiments import experiments_from_json, with_mixtures
    from workflow_scripts.statistics.probe_spread import probe_spread
    from workflow_scripts.storage.tables import read_frame, write_table

    others = grouped_paths("of-probe", arguments.of_probe)
    other_mixtures = grouped_paths("mixtures-of-probe", arguments.mixtures_of_probe)
    if arguments.first in others:
        raise UserError(f"--of-probe {arguments.first}: it is the first probe, whose table is --alignment")
    by_probe = {
        probe: with_mixtures(
            pd.concat(map(read_frame, paths), ignore_index=True),
            [read_frame(path) for path in other_mixtures.get(probe, [])],
        )
        for probe, paths in others.items()
    }
    first = with_mixtures(read_frame(arguments.alignment), [read_frame(path) for path in arguments.mixtures])
    metrics = {metric for table in by_probe.values() for metric in table["metric"]}
    table = probe_spread(
        {arguments.first: first[first["metric"].isin(metrics)], **by_probe},
        read_frame(arguments.losses),
        experiments_from_json(arguments.experiments),
    )
    write_table(table, arguments.output)


if __name__ == "__main__":
    run(main)

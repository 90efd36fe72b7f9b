"""Fit the law of effective tokens to the runs that were trained here, for every metric and target.

Tables: how well it fits, and predicts left-out training sets (`--output`), the curves (`--curves`), and the worth of
a token of each corpus (`--worth`). Experiments with too few runs have no rows.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.command_line import parser_for, run, set_threads

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--alignment", required=True, type=Path, help="Parquet: alignments of sets")
    parser.add_argument("--losses", required=True, type=Path, help="Parquet: summary of losses")
    parser.add_argument("--experiments", required=True, help="JSON list of experiments")
    parser.add_argument(
        "--mixed-of", required=True, type=json.loads, help="JSON: corpora and shares of each training set"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of the numerical libraries")
    parser.add_argument("--output", required=True, type=Path, help="Parquet: fit and prediction by target")
    parser.add_argument("--curves", required=True, type=Path, help="Parquet: effective tokens of every run")
    parser.add_argument("--worth", required=True, type=Path, help="Parquet: worth of a token")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.outside.runs import gaps_of, sides_of
    from workflow_scripts.statistics.collapse import (
        COLLAPSE_TYPES,
        CURVE_TYPES,
        WORTH_TYPES,
        collapse,
        large_enough,
        runs_of_experiment,
        table,
    )
    from workflow_scripts.statistics.experiments import experiments_from_json
    from workflow_scripts.storage.tables import read_frame, write_table
    from workflow_scripts.tokens.parts import of_whole

    # Its constants were found on alignments of whole rows.
    alignment, losses = of_whole(read_frame(arguments.alignment)), read_frame(arguments.losses)
    found: tuple[list[dict[str, Any]], ...] = ([], [], [])
    for experiment in experiments_from_json(arguments.experiments):
        if experiment.kind == "recorded":
            continue
        parts = sorted(set(losses.loc[losses["experiment"] == experiment.name, "part"]))
        for part in parts:
            runs = runs_of_experiment(experiment, part, losses, arguments.mixed_of)
            if not large_enough(runs):
                logger.warning("experiment %s, %s: too few runs for a law", experiment.name, part)
                continue
            for metric, rows in alignment.groupby("metric"):
                gaps = gaps_of(rows, runs.parts, runs.targets)
                if not (gaps.values == gaps.values).all():
                    logger.warning("%s lacks an alignment of a part of %s", metric, experiment.name)
                    continue
                key = {"experiment": experiment.name, "part": part, "metric": str(metric)}
                sources, evaluated_too = sides_of(rows)
                # Uses all corpora with both sides; if a run has none, the experiment's sets.
                median_gap = (gaps_of(rows, sources, evaluated_too) if evaluated_too else gaps).median
                for rows_of, new in zip(found, collapse(runs, gaps, median_gap, key), strict=True):
                    rows_of.extend(new)
    for rows_of, types, path in zip(
        found,
        (COLLAPSE_TYPES, CURVE_TYPES, WORTH_TYPES),
        (arguments.output, arguments.curves, arguments.worth),
        strict=True,
    ):
        write_table(table(rows_of, types), path)


if __name__ == "__main__":
    run(main)

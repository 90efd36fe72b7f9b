"""Rank the mixtures of recorded experiments by the worth of their tokens, and compare with their losses.

Tables: rank correlations with loss of every predictor (`--output`), paired differences between predictors
(`--differences`), the worth of a token of each corpus for each target (`--worth`), the law that combines alignment and
size, with the coverage of its intervals on runs outside the fit (`--laws`), effective tokens and loss of every run by
the best measure (`--points`), and the loss that the law predicts with that measure (`--predicted`).
docs/method/outside.md defines them.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from workflow_scripts.outside.ranking import Study


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--experiments", required=True, type=json.loads, help="list of experiments, as JSON")
    parser.add_argument("--alignment", required=True, type=Path, help="alignments of parts and targets")
    parser.add_argument(
        "--mixtures", nargs="*", default=[], type=Path, help="alignments of the mixtures, one file per metric"
    )
    parser.add_argument(
        "--losses", required=True, action="append", metavar="NAME=FILE", help="losses of each experiment"
    )
    parser.add_argument(
        "--shares", required=True, action="append", metavar="NAME=FILE", help="shares of each experiment"
    )
    parser.add_argument(
        "--proxies", nargs="*", type=int, default=[], help="how many runs predictors learn from"
    )
    parser.add_argument("--draws", type=int, required=True, help="draws of these runs")
    parser.add_argument(
        "--resamples", type=int, required=True, help="resamples of training sets, for intervals"
    )
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1, help="processes")
    parser.add_argument("--output", required=True, type=Path, help="Parquet: rank correlations")
    parser.add_argument("--differences", required=True, type=Path, help="Parquet: paired differences")
    parser.add_argument("--worth", required=True, type=Path, help="Parquet: worth of a token")
    parser.add_argument(
        "--points",
        required=True,
        type=Path,
        help="Parquet: effective tokens and loss of every run, best measure",
    )
    parser.add_argument(
        "--predicted", required=True, type=Path, help="Parquet: predicted and real loss of every run"
    )
    parser.add_argument("--laws", required=True, type=Path, help="Parquet: the law of each target")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(1)  # of each process
    from joblib import Parallel, delayed

    from workflow_scripts.outside.ranking import (
        LAW_TYPES,
        POINT_TYPES,
        PREDICTED_TYPES,
        WORTH_TYPES,
        Effort,
        best_metrics,
        point_rows,
        predicted_rows,
        proxy_predictions,
        rows_of,
        table_of,
    )
    from workflow_scripts.outside.runs import gaps_of, mixture_scores
    from workflow_scripts.statistics.mixture_ranking import DIFFERENCE_TYPES, RANKING_TYPES
    from workflow_scripts.storage.tables import read_frame, write_table
    from workflow_scripts.tokens.parts import of_whole

    effort = Effort(
        tuple(arguments.proxies), arguments.draws, arguments.resamples, arguments.seed, arguments.threads
    )
    alignment = of_whole(read_frame(arguments.alignment))
    mixed = [read_frame(path) for path in arguments.mixtures]
    studies = _studies(arguments)
    gaps = {
        study.name: {
            str(metric): gaps_of(rows, study.runs.parts, study.runs.targets)
            for metric, rows in alignment.groupby("metric")
        }
        for study in studies
    }
    learned = proxy_predictions(studies, gaps, effort)
    found = Parallel(n_jobs=arguments.threads)(
        delayed(rows_of)(
            study, gaps[study.name], mixture_scores(mixed, study.runs), learned[study.name], effort
        )
        for study in studies
    )
    best = best_metrics(studies, [row for rows in found for row in rows.rankings])
    points = [
        row
        for study in studies
        for row in point_rows(study, best[study.name], gaps[study.name][best[study.name]])
    ]
    predicted = [
        row for study in studies for row in predicted_rows(study, best[study.name], learned[study.name])
    ]
    write_table(table_of([row for rows in found for row in rows.rankings], RANKING_TYPES), arguments.output)
    write_table(
        table_of([row for rows in found for row in rows.differences], DIFFERENCE_TYPES), arguments.differences
    )
    write_table(table_of([row for rows in found for row in rows.worths], WORTH_TYPES), arguments.worth)
    write_table(table_of([row for rows in found for row in rows.laws], LAW_TYPES), arguments.laws)
    write_table(table_of(points, POINT_TYPES), arguments.points)
    write_table(table_of(predicted, PREDICTED_TYPES), arguments.predicted)


def _studies(arguments: argparse.Namespace) -> "list[Study]":
    from workflow_scripts.outside.ranking import Study
    from workflow_scripts.outside.runs import runs_of

    entries = {entry["name"]: entry for entry in arguments.experiments if entry["kind"] == "recorded"}
    losses, shares = _tables("losses", arguments.losses), _tables("shares", arguments.shares)
    runs = {
        name: runs_of(losses[name], shares[name], sorted(entry["parts"]), sorted(entry["eval_sets"]))
        for name, entry in entries.items()
    }

    def study(name: str, entry: Mapping[str, Any]) -> Study:
        proxies, sizes = entry["proxies"], entry["sharpen_from"]
        return Study(
            name=name,
            model=entry["model"] or "",
            runs=runs[name],
            proxies=runs[proxies] if proxies else None,
            proxies_name=proxies,
            same_model=bool(proxies) and entries[proxies]["model"] == entry["model"],
            stand_ins=tuple(entry["stand_ins"]),
            parameters=entry["parameters"],
            sizes={entries[other]["parameters"]: runs[other] for other in sizes} or None,
        )

    return [study(name, entry) for name, entry in entries.items()]


def _tables(option: str, values: Sequence[str]) -> "dict[str, pd.DataFrame]":
    from workflow_scripts.storage.tables import read_frame

    found = {}
    for value in values:
        name, separator, path = value.partition("=")
        if not separator:
            raise UserError(f"--{option} {value}: write it as NAME=FILE")
        found[name] = read_frame(path)
    return found


if __name__ == "__main__":
    run(main)

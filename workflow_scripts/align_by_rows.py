"""Measure the alignment of training sets with evaluation sets by one metric, as a function of rows.

Each --source and --target is NAME=PATH, as for compare_sets: packed rows, or the embeddings of their batches. For each
number in --rows, the first rows of every set in the seeded order are used, or all rows if there are fewer (the output
has the number). Embeddings of batches are pooled to the Fisher information of all their rows.

The output has one row per number of rows, source and target: metric, source, target, rows, source_rows, target_rows,
alignment. A source and a target with the same rows have no alignment. The cost file has the seconds of each set at
each number of rows, including embeddings.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import add_metric_name_options, named_paths, parser_for, run, set_threads
from workflow_scripts.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    add_metric_name_options(parser)
    parser.add_argument("--source", required=True, action="append", metavar="NAME=PATH", help="repeated")
    parser.add_argument("--target", required=True, action="append", metavar="NAME=PATH", help="repeated")
    parser.add_argument(
        "--times", action="append", default=[], metavar="NAME=PATH", help="seconds of an embedding's batches"
    )
    parser.add_argument("--rows", required=True, nargs="+", type=int, help="numbers of rows")
    parser.add_argument("--output", required=True, type=Path, help="Parquet")
    parser.add_argument("--cost", required=True, type=Path, help="Parquet: metric, set, rows, seconds")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.metrics.opening import named_metric
    from workflow_scripts.metrics.rows_curve import align_by_rows, first_rows, pooled_batches
    from workflow_scripts.storage.content_store import ContentStore
    from workflow_scripts.storage.tables import read_json, write_table

    metric, decoder = named_metric(arguments)
    sources, targets = named_paths("source", arguments.source), named_paths("target", arguments.target)
    paths = {**sources, **targets}
    if metric.estimator():
        times = named_paths("times", arguments.times)
        without = sorted(paths.keys() - times.keys())
        if without:
            raise UserError(f"--times lacks {without[0]}: embeddings need the seconds of their batches")
        take = pooled_batches(paths, {name: read_json(path)["batches"] for name, path in times.items()})
    else:
        take = first_rows(paths, arguments.seed, decoder)
    alignment, cost = align_by_rows(
        metric, list(sources), list(targets), arguments.rows, take, ContentStore(arguments.store)
    )
    write_table(alignment, arguments.output)
    write_table(cost, arguments.cost)


if __name__ == "__main__":
    run(main)

"""Measure the alignment of every set with every set by one metric.

Each set is NAME=PATH, its name <corpus>.<split>. PATH is a table of packed rows, or, for a metric that
compares Fisher embeddings, the embeddings of those rows. Both are drawn with the same --batches,
--rows-per-batch and --seed, so that all metrics see the same rows. What is finished is kept in --store by
content: one more set costs its own features and its own pairs.

The output has one row for every ordered pair of sets, a set with itself included (docs/ARCHITECTURE.md
names the columns; docs/method/metrics.md explains them). The cost file says how many seconds each set took.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import add_metric_options, named_paths, parser_for, run, set_threads
from workflow_scripts.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    add_metric_options(parser)
    parser.add_argument(
        "--set", required=True, action="append", metavar="NAME=PATH", help="repeated, one a set"
    )
    parser.add_argument(
        "--floor", required=True, metavar="NAME=PATH", help="the set of uniform random tokens"
    )
    parser.add_argument(
        "--times", action="append", default=[], metavar="NAME=PATH", help="seconds of an embedding"
    )
    parser.add_argument("--output", required=True, type=Path, help="Parquet")
    parser.add_argument("--cost", required=True, type=Path, help="Parquet: metric, set, seconds")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.metrics.inputs import check_same_length, rows_that_all_have, whole_set
    from workflow_scripts.metrics.matrix import align_all
    from workflow_scripts.metrics.opening import open_metric
    from workflow_scripts.storage.content_store import ContentStore
    from workflow_scripts.storage.tables import read_json, write_table

    metric, read = open_metric(arguments)
    sets = named_paths("set", arguments.set)
    ((floor_set, floor_path),) = named_paths("floor", [arguments.floor]).items()
    if sets.get(floor_set, floor_path) != floor_path:
        raise UserError(f"--floor and --set give {floor_set} different files")
    times = named_paths("times", arguments.times)

    paths = {**sets, floor_set: floor_path}
    rows = arguments.rows_per_batch
    if arguments.fewer_rows and not metric.estimator():
        rows = rows_that_all_have(paths.values(), arguments.batches, rows)
    drawn = {name: read(path, arguments.batches, rows) for name, path in paths.items()}
    check_same_length(drawn)
    alignment, cost = align_all(
        metric,
        {name: drawn[name] for name in sets},
        floor_set,
        drawn[floor_set],
        ContentStore(arguments.store),
        {name: float(read_json(path)["seconds"]) for name, path in times.items()},
        {name: whole_set(path) for name, path in paths.items()} if metric.reads_whole_sets() else {},
    )
    write_table(alignment, arguments.output)
    write_table(cost, arguments.cost)


if __name__ == "__main__":
    run(main)

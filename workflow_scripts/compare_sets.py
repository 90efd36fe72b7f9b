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

from workflow_scripts.command_line import UserError, parser_for, run, set_threads


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--metric", required=True, help="name of a module of workflow_scripts.metrics")
    parser.add_argument(
        "--set", required=True, action="append", metavar="NAME=PATH", help="repeated, one a set"
    )
    parser.add_argument(
        "--floor", required=True, metavar="NAME=PATH", help="the set of uniform random tokens"
    )
    parser.add_argument(
        "--times", action="append", default=[], metavar="NAME=PATH", help="seconds of an embedding"
    )
    parser.add_argument("--tokenizer", help="folder; for metrics of texts and of vocabulary")
    parser.add_argument("--model", type=Path, help="folder of the probe, for metrics that use it")
    parser.add_argument(
        "--encoder", help="folder or Hub name of a sentence encoder, for metrics that use one"
    )
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--rows-per-batch", type=int, default=32)
    parser.add_argument("--fewer-rows", action="store_true", help="allow smaller batches of embeddings")
    parser.add_argument("--seed", type=int, default=0, help="of the draw of batches")
    parser.add_argument("--store", required=True, type=Path, help="folder of finished pieces")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, type=Path, help="Parquet")
    parser.add_argument("--cost", required=True, type=Path, help="Parquet: metric, set, seconds")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.metrics.base import Batch, Resources
    from workflow_scripts.metrics.inputs import (
        check_batches,
        check_same_length,
        embedding_batches,
        named_paths,
        row_batches,
    )
    from workflow_scripts.metrics.matrix import align_all
    from workflow_scripts.metrics.registry import metric_class
    from workflow_scripts.storage.content_store import ContentStore
    from workflow_scripts.storage.tables import read_json, write_table
    from workflow_scripts.tokens.tokenizer import load_tokenizer

    check_batches(arguments.batches)
    metric_type = metric_class(arguments.metric)
    sets = named_paths("set", arguments.set)
    ((floor_set, floor_path),) = named_paths("floor", [arguments.floor]).items()
    if sets.get(floor_set, floor_path) != floor_path:
        raise UserError(f"--floor and --set give {floor_set} different files")
    times = named_paths("times", arguments.times)

    for option, value, needs in (
        ("tokenizer", arguments.tokenizer, {"text", "vocabulary"}),
        ("model", arguments.model, {"probe"}),
        ("encoder", arguments.encoder, {"encoder"}),
    ):
        if value is None and needs & set(metric_type.needs):
            raise UserError(f"metric {arguments.metric} needs --{option}")

    reads_tokenizer = {"text", "vocabulary"} & set(metric_type.needs)
    tokenizer = load_tokenizer(arguments.tokenizer) if reads_tokenizer else None

    def batches_of(path: Path) -> list[Batch]:
        if metric_type.estimator():
            return embedding_batches(path, arguments.batches, arguments.rows_per_batch, arguments.fewer_rows)
        decoder = tokenizer if "text" in metric_type.needs else None
        return row_batches(path, arguments.batches, arguments.rows_per_batch, arguments.seed, decoder)

    drawn = {name: batches_of(path) for name, path in {**sets, floor_set: floor_path}.items()}
    check_same_length(drawn)
    metric = metric_type(
        Resources(
            vocabulary_size=len(tokenizer) if tokenizer else 0,
            probe=arguments.model,
            encoder=arguments.encoder,
            threads=arguments.threads,
        )
    )
    alignment, cost = align_all(
        metric,
        {name: drawn[name] for name in sets},
        floor_set,
        drawn[floor_set],
        ContentStore(arguments.store),
        {name: float(read_json(path)["seconds"]) for name, path in times.items()},
    )
    write_table(alignment, arguments.output)
    write_table(cost, arguments.cost)


if __name__ == "__main__":
    run(main)

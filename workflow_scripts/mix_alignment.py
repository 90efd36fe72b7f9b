"""Measure the alignment of mixtures with targets by one metric, from the parts of the mixtures.

--part is NAME=PATH, with NAME as in the column corpus of --mixtures and PATH the rows (or Fisher embeddings) to mix;
--target is NAME=PATH for each set to compare with. --mixtures are Parquet tables with columns train_set,
corpus and share (of tokens). No mixture is tokenized, embedded or written.

A target with too few rows for its batches is left out, with a warning.

The output has one row for every mixture and target: metric, train_set, eval_set, alignment, ci_low, ci_high and how,
which is one of
  mixed rows     each batch has rows of the parts in the mixture's shares; equals the alignment of real mixed rows
  mixed batches  the weighted mean of the features of whole batches of the parts: embeddings, if --unit-rows is
                 as large as a batch
  mixture of experts
                 one language model per part, their probabilities weighted by the shares: not a model of mixed text
  mean of parts  the weighted mean of the parts' alignments, for a metric that allows nothing better
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import add_metric_options, named_paths, parser_for, run, set_threads
from workflow_scripts.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    add_metric_options(parser)
    parser.add_argument("--part", required=True, action="append", metavar="NAME=PATH", help="repeated")
    parser.add_argument("--target", required=True, action="append", metavar="NAME=PATH", help="repeated")
    parser.add_argument(
        "--mixtures", required=True, nargs="+", type=Path, help="Parquet: train_set, corpus, share"
    )
    parser.add_argument(
        "--unit-rows",
        type=int,
        help="rows of each embedding of a part (default: those of a batch); rows are mixed one by one",
    )
    parser.add_argument("--output", required=True, type=Path, help="Parquet")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.metrics.inputs import check_same_length, rows_that_all_have, whole_set
    from workflow_scripts.metrics.mixtures import align_mixtures, read_mixtures
    from workflow_scripts.metrics.opening import batches_of_all, open_metric
    from workflow_scripts.metrics.pieces import Pieces
    from workflow_scripts.storage.content_store import ContentStore
    from workflow_scripts.storage.tables import write_table

    metric, read = open_metric(arguments)
    parts, targets = named_paths("part", arguments.part), named_paths("target", arguments.target)
    for name, path in targets.items():
        if path in parts.values():
            raise UserError(
                f"{path} is both a part and the target {name}: use a target whose rows are in no part"
            )
    rows = arguments.rows_per_batch
    if arguments.fewer_rows and not metric.estimator():
        rows = rows_that_all_have([*parts.values(), *targets.values()], arguments.batches, rows)
    unit = (arguments.unit_rows or rows) if metric.estimator() else 1
    if metric.mixes != "exact":
        unit = rows
    if rows % unit:
        raise UserError(f"--unit-rows is {unit}, but batches of {rows} rows are not a whole number of units")
    mixtures = read_mixtures(arguments.mixtures, list(parts))
    needed = targets if len(targets) == 1 else {}
    batches = batches_of_all(read, targets, arguments.batches, rows, needed)
    if not batches:
        raise UserError(f"no target has {arguments.batches} batches of {rows} rows; make batches smaller")
    if metric.reads_whole_sets():
        units = {name: [whole_set(path)] for name, path in parts.items()}
    else:
        units = {name: read(path, arguments.batches * rows // unit, unit) for name, path in parts.items()}
        check_same_length({f"part {name}": one for name, one in units.items()} | batches)
    table = align_mixtures(Pieces(metric, ContentStore(arguments.store)), mixtures, units, batches)
    write_table(table, arguments.output)


if __name__ == "__main__":
    run(main)

"""Measure the alignment of sets with each other by one metric: of all pairs, or of those that some sources need.

Each set is NAME=PATH, its name <corpus>.<split>. PATH is a table of packed rows, or, for a metric that
compares Fisher embeddings, the embeddings of those rows. Both are drawn with the same --batches,
--rows-per-batch and --seed, so all metrics see the same rows. Finished pieces are stored in --store under a hash of
their inputs: an additional set costs only its own pairs.

A set with too few rows for its batches is left out: this metric then has no alignment of it, and the log says why.

Sets in --answers are also compared by only the answers of their pairs: prompts are read, but not compared. Text
without pairs counts as a whole. PATH is that of --set, or the embeddings of the answers.

The output has one row for every part (whole or answer) and ordered pair of sets, including a set with itself
(docs/ARCHITECTURE.md names the columns; docs/method/metrics.md explains them). The cost file has the seconds of each
set.

With --sources, only the pairs that belong to these sets are measured: each with itself, the floor with each, and
each training set among them with every evaluation set. This is a block of a comparison of many sets: the columns of
the scale are missing, and join_blocks adds them.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.command_line import add_metric_options, named_paths, parser_for, run, set_threads
from workflow_scripts.errors import UserError

if TYPE_CHECKING:
    from workflow_scripts.metrics.base import Batch
    from workflow_scripts.metrics.opening import ReadBatches


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    add_metric_options(parser)
    parser.add_argument(
        "--set", required=True, action="append", metavar="NAME=PATH", help="one per set; repeated"
    )
    parser.add_argument(
        "--floor", required=True, metavar="NAME=PATH", help="the set of uniform random tokens"
    )
    parser.add_argument(
        "--times", action="append", default=[], metavar="NAME=PATH", help="seconds of an embedding"
    )
    parser.add_argument(
        "--answers", action="append", default=[], metavar="NAME=PATH", help="must include the floor"
    )
    parser.add_argument(
        "--answer-times",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="seconds of an embedding of answers",
    )
    parser.add_argument("--sources", nargs="+", metavar="NAME", help="measure only the pairs of these sets")
    parser.add_argument("--output", required=True, type=Path, help="Parquet")
    parser.add_argument("--cost", required=True, type=Path, help="Parquet: metric, part, set, seconds")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.metrics.inputs import check_same_length, rows_that_all_have, whole_set
    from workflow_scripts.metrics.matrix import (
        ALIGNMENT_KEYS,
        ALIGNMENT_SCHEMA,
        COST_KEYS,
        COST_SCHEMA,
        WITHOUT_SCALE_SCHEMA,
        as_table,
        measured,
        scaled,
    )
    from workflow_scripts.metrics.opening import open_metric
    from workflow_scripts.metrics.pairs import all_pairs, needed_pairs
    from workflow_scripts.storage.content_store import ContentStore
    from workflow_scripts.storage.tables import read_json, write_table
    from workflow_scripts.tokens.parts import ANSWER, WHOLE

    metric, read = open_metric(arguments)
    sets = named_paths("set", arguments.set)
    ((floor_set, floor_path),) = named_paths("floor", [arguments.floor]).items()
    if sets.get(floor_set, floor_path) != floor_path:
        raise UserError(f"--floor and --set give {floor_set} different files")
    paths = {**sets, floor_set: floor_path}
    answers = named_paths("answers", arguments.answers)
    _check_answers(arguments.metric, metric.answers, answers, paths, floor_set)
    unknown = sorted(set(arguments.sources or []) - set(paths))
    if unknown:
        raise UserError(f"--sources names {unknown[0]}, which no --set names")
    rows = arguments.rows_per_batch
    if arguments.fewer_rows and not metric.estimator():
        rows = rows_that_all_have(paths.values(), arguments.batches, rows)

    drawn = {WHOLE: _drawn(read, paths, arguments.batches, rows, floor_set)}
    times = {WHOLE: named_paths("times", arguments.times)}
    if answers:
        drawn[ANSWER] = {
            # The embedding of whole rows is that of text without prompts.
            name: drawn[WHOLE][name]
            if metric.estimator() and path == paths[name]
            else read(path, arguments.batches, rows, part=ANSWER)
            for name, path in answers.items()
            if name in drawn[WHOLE]
        }
        times[ANSWER] = named_paths("answer-times", arguments.answer_times)
    check_same_length({f"{name} ({part})": one for part in drawn for name, one in drawn[part].items()})
    store, alignments, costs = ContentStore(arguments.store), [], []
    for part, batches in drawn.items():
        compared = [name for name in batches if part == ANSWER or name in sets]
        if arguments.sources is None:
            pairs = all_pairs(compared, floor_set)
        else:
            pairs = needed_pairs([name for name in arguments.sources if name in batches], compared, floor_set)
        sources = {source for source, _ in pairs} if metric.reads_whole_sets() else set()
        alignment, cost = measured(
            metric,
            batches,
            pairs,
            store,
            {name: float(read_json(path)["seconds"]) for name, path in times[part].items()},
            {name: whole_set(paths[name], part) for name in sources},
            part,
        )
        if arguments.sources is None:
            alignment = scaled(alignment, compared, floor_set, metric.has_scale)
        alignments.append(alignment)
        costs.append(cost)
    schema = ALIGNMENT_SCHEMA if arguments.sources is None else WITHOUT_SCALE_SCHEMA
    write_table(as_table(alignments, schema, ALIGNMENT_KEYS), arguments.output)
    write_table(as_table(costs, COST_SCHEMA, COST_KEYS), arguments.cost)


def _drawn(
    read: "ReadBatches", paths: Mapping[str, Path], batches: int, rows: int, floor_set: str
) -> "dict[str, list[Batch]]":
    """Batches of every set that has enough rows. There is no scale without the floor, and no pair with one set."""
    from workflow_scripts.metrics.opening import batches_of_all

    needed = paths if len(paths) <= 2 else {floor_set}
    found = batches_of_all(read, paths, batches, rows, needed)
    if set(found) == {floor_set}:
        raise UserError(
            f"no set but the floor {floor_set} has {batches} batches of {rows} rows; make batches smaller"
        )
    return found


def _check_answers(
    metric: str, can_compare: bool, answers: Mapping[str, Path], paths: Mapping[str, Path], floor_set: str
) -> None:
    if not answers:
        return
    if not can_compare:
        raise UserError(f"--answers: metric {metric} cannot compare only the answers; remove the option")
    unknown = sorted(set(answers) - set(paths))
    if unknown:
        raise UserError(f"--answers names {unknown[0]}, which no --set names")
    if floor_set not in answers:
        raise UserError(f"--answers must name the floor {floor_set} as well, for the scale of answers")


if __name__ == "__main__":
    run(main)

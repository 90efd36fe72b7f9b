"""Put the blocks of one metric's comparison into one table, with the scale, and add up their seconds.

--tables and --costs are outputs of compare_sets with --sources, which together have every set of the run as a source.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--metric", required=True)
    parser.add_argument("--tables", required=True, nargs="+", type=Path, help="one per block")
    parser.add_argument("--costs", required=True, nargs="+", type=Path, help="one per block")
    parser.add_argument("--floor", required=True, metavar="NAME", help="the set of uniform random tokens")
    parser.add_argument("--output", required=True, type=Path, help="Parquet")
    parser.add_argument("--cost", required=True, type=Path, help="Parquet: metric, part, set, seconds")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    import pandas as pd

    from workflow_scripts.metrics.matrix import (
        ALIGNMENT_KEYS,
        ALIGNMENT_SCHEMA,
        COST_KEYS,
        COST_SCHEMA,
        as_table,
        scaled,
    )
    from workflow_scripts.metrics.registry import metric_class
    from workflow_scripts.storage.tables import read_frame, write_table

    blocks = pd.concat(map(read_frame, arguments.tables), ignore_index=True)
    sets = set(blocks["source"])
    if sets <= {arguments.floor}:
        raise UserError(f"{arguments.metric}: no set but the floor has enough rows; make batches smaller")
    has_scale = metric_class(arguments.metric).has_scale
    alignment = scaled(blocks, sets, arguments.floor, has_scale)
    costs = pd.concat(map(read_frame, arguments.costs), ignore_index=True)
    costs = costs.groupby(COST_KEYS, as_index=False)["seconds"].sum()
    write_table(as_table([alignment], ALIGNMENT_SCHEMA, ALIGNMENT_KEYS), arguments.output)
    write_table(as_table([costs], COST_SCHEMA, COST_KEYS), arguments.cost)


if __name__ == "__main__":
    run(main)

"""Put the alignment tables of all metrics into one, and their costs into another."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run
from workflow_scripts.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument(
        "--metrics-files", required=True, nargs="+", type=Path, help="outputs of compare_sets"
    )
    parser.add_argument("--costs", required=True, nargs="+", type=Path, help="cost files of compare_sets")
    parser.add_argument("--output", required=True, type=Path, help="Parquet: all alignments")
    parser.add_argument("--cost-output", required=True, type=Path, help="Parquet: metric, part, set, seconds")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.metrics.matrix import (
        ALIGNMENT_KEYS,
        ALIGNMENT_SCHEMA,
        COST_KEYS,
        COST_SCHEMA,
        joined,
    )
    from workflow_scripts.storage.tables import read_table, write_table

    for files, schema, order, output in (
        (arguments.metrics_files, ALIGNMENT_SCHEMA, ALIGNMENT_KEYS, arguments.output),
        (arguments.costs, COST_SCHEMA, COST_KEYS, arguments.cost_output),
    ):
        tables = []
        for file in files:
            table = read_table(file)
            if table.schema.names != schema.names:
                raise UserError(f"{file} has the columns {table.schema.names}, not {schema.names}")
            tables.append(table)
        write_table(joined(tables, order), output)


if __name__ == "__main__":
    run(main)

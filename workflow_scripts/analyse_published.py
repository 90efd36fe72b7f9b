"""Analyse the published numbers with the same statistics as our own runs, and print the table.

Nothing is trained: the numbers are in the CSV files of `published/`. The output has one number per row
(table, scope, statistic, value, ci_low, ci_high, n, note); `--points` writes the pairs, for figures.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.command_line import parser_for, run, set_threads
from workflow_scripts.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def build_parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--folder", required=True, help="folder with the CSV files of published numbers")
    parser.add_argument(
        "--permutations", type=int, required=True, help="random arrangements beyond 7 families"
    )
    parser.add_argument("--seed", type=int, required=True, help="seed of the random arrangements")
    parser.add_argument("--threads", type=int, default=1, help="threads of the numerical libraries")
    parser.add_argument("--output", required=True, help="Parquet file of statistics")
    parser.add_argument("--points", help="Parquet file of the published pairs")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    set_threads(arguments.threads)
    from workflow_scripts.statistics.published import FILES, analyse_points, published_points
    from workflow_scripts.storage.tables import write_table

    points = published_points({name: _read(Path(arguments.folder) / f"{name}.csv") for name in FILES})
    table = analyse_points(points, arguments.permutations, arguments.seed)
    write_table(table, arguments.output)
    if arguments.points:
        write_table(points, arguments.points)
    print(as_text(table))


def as_text(table: "pd.DataFrame") -> str:
    """The table as text, one line per table and scope."""
    import pandas as pd

    lines = [
        f"{'table':<21} {'scope':<21} {'n':>3} {'r2':>6}  {'95% interval':<14} "
        f"{'r':>6} {'rho':>6} {'p naive':>9} {'p permuted':>10}"
    ]
    for (name, scope), rows in table.groupby(["table", "scope"], sort=False):
        value = rows.set_index("statistic")["value"]
        r2 = rows[rows["statistic"] == "r2"].iloc[0]
        interval = "none" if pd.isna(r2["ci_low"]) else f"{r2['ci_low']:.3f} to {r2['ci_high']:.3f}"
        lines.append(
            f"{name:<21} {scope:<21} {r2['n']:>3} {r2['value']:>6.3f}  {interval:<14} "
            f"{value['pearson_r']:>6.3f} {value['spearman']:>6.3f} {value['p_naive']:>9.2g} "
            f"{_or_none(value['p_permutation']):>10}"
        )
    lines += [
        "",
        "Intervals and p permuted need 6 families of training sets; a mix and its components are one family.",
    ]
    return "\n".join(lines)


def _or_none(p: float) -> str:
    return "none" if math.isnan(p) else f"{p:.2g}"


def _read(path: Path) -> "pd.DataFrame":
    import pandas as pd

    from workflow_scripts.statistics.published import FILES

    if not path.is_file():
        raise UserError(
            f"--folder: {path} is missing; the folder needs {', '.join(f'{name}.csv' for name in FILES)}"
        )
    return pd.read_csv(path)


if __name__ == "__main__":
    run(main)

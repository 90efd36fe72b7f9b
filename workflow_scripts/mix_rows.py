"""Mix rows of several sets in fixed shares of tokens."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.command_line import parser_for, run


def build_parser():
    parser = parser_for(__doc__)
    parser.add_argument("--rows", nargs="+", type=Path, required=True, help="the sets to mix")
    parser.add_argument(
        "--fractions", nargs="+", type=float, required=True, help="one share per set, summing to 1"
    )
    parser.add_argument(
        "--unit", type=int, default=1, help="rows of one set that stay together (the training context)"
    )
    parser.add_argument("--output", required=True, help="the mixture, as Parquet")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    from workflow_scripts.tokens.mixture import mix_files
    from workflow_scripts.tokens.rows import write_row_portions

    write_row_portions(mix_files(arguments.rows, arguments.fractions, arguments.unit), arguments.output)


if __name__ == "__main__":
    run(main)
